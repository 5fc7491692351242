# Wav: what is in a float WAV.
#
#   wav_data($bytes)                     # the samples of the file, as packed floats; from a file's bytes
#   my $wav = wav_read($path)            # { format, channels, rate, samples => [ left, right, left … ] }, {} for no WAV
package Wav;
use strict;
use warnings;
use Exporter 'import';
use Scratch;

our @EXPORT = qw(wav_data wav_read);

# [name, bytes] of each chunk
sub _chunks {
    my ($bytes) = @_;
    my @chunks;
    return unless $bytes =~ /^RIFF....WAVE/s;
    for (my $at = 12; $at + 8 <= length $bytes;) {
        my ($name, $size) = unpack 'a4 V', substr $bytes, $at, 8;
        push @chunks, [ $name, substr $bytes, $at + 8, $size ];
        $at += 8 + $size + $size % 2;
    }
    return @chunks;
}

sub wav_data {
    my ($bytes) = @_;
    my ($data) = grep { $_->[0] eq 'data' } _chunks($bytes);
    return $data ? $data->[1] : '';
}

sub wav_read {
    my ($path) = @_;
    my %wav;
    for (_chunks(slurp_if_there($path))) {
        my ($name, $bytes) = @$_;
        @wav{qw(format channels rate)} = unpack 'v v V', $bytes if $name eq 'fmt ';
        $wav{samples} = [ unpack 'f<*', $bytes ] if $name eq 'data';
    }
    return \%wav;
}

1;
