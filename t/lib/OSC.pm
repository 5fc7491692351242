# OSC: messages and bundles as bytes.
#
#   osc_message('/oiduna/mute', s => 'kick', i => 1)    # type => value …: i f s b T F t
#   osc_bundle($seconds, @messages)                     # with a time tag of the wall clock; 0: immediately
#   my ($address, [ s => 'bd' ], [ f => "\x3f…" ], …) = osc_parse($packet)     # numbers as their bytes
#   my ($address, 'bd', 0.5, …) = osc_values($packet)                          # … and as Perl's
#   my ($ns, @messages) = osc_unbundle($packet)                                # ns of the wall clock
package OSC;
use strict;
use warnings;
use Exporter 'import';

our @EXPORT = qw(osc_bundle osc_message osc_parse osc_unbundle osc_values);

use constant SECONDS_1900_TO_1970 => 2208988800;

sub _padded { my ($s) = @_; return $s . "\0" x (4 - length($s) % 4) }

sub osc_message {
    my ($address, @arguments) = @_;
    my ($types, $data) = (',', '');
    while (my ($type, $value) = splice @arguments, 0, 2) {
        $types .= $type;
        $data .= pack 'l>', $value if $type eq 'i';
        $data .= pack 'f>', $value if $type eq 'f';
        $data .= pack 'Q>', $value if $type eq 't';
        $data .= _padded($value)   if $type eq 's';
        $data .= pack('N', length $value) . $value . "\0" x (-length($value) % 4) if $type eq 'b';
    }
    return _padded($address) . _padded($types) . $data;
}

sub osc_bundle {
    my ($seconds, @messages) = @_;
    my $tag = $seconds ? pack('NN', int($seconds) + SECONDS_1900_TO_1970, int(($seconds - int $seconds) * 2**32)) : pack('NN', 0, 1);
    return "#bundle\0$tag" . join '', map { pack('N', length) . $_ } @messages;
}

sub _string {
    my ($packet, $at) = @_;
    my $s = unpack 'Z*', substr $$packet, $$at;
    $$at += (length($s) + 4) & ~3;
    return $s;
}

sub osc_parse {
    my ($packet) = @_;
    my $at = 0;
    my $address = _string(\$packet, \$at);
    my $types = substr _string(\$packet, \$at), 1;
    my @values;
    for my $type (split //, $types) {
        if ($type eq 's') { push @values, [ s => _string(\$packet, \$at) ]; next; }
        my $len = $type =~ /[tdh]/ ? 8 : 4;
        push @values, [ $type, substr $packet, $at, $len ];
        $at += $len;
    }
    return ($address, @values);
}

sub osc_values {
    my ($address, @values) = osc_parse($_[0]);
    return ($address, map { my ($t, $v) = @$_; $t eq 's' ? $v : $t eq 'i' ? unpack 'l>', $v : $t eq 'f' ? unpack 'f>', $v : unpack 'Q>', $v } @values);
}

sub osc_unbundle {
    my ($packet) = @_;
    my ($head, $seconds, $fraction) = unpack 'Z8NN', $packet;
    die 'not a bundle' unless $head eq '#bundle';
    my $ns = ($seconds - SECONDS_1900_TO_1970) * 1_000_000_000 + (($fraction * 1_000_000_000) >> 32);
    my ($at, @messages) = (16);
    while ($at < length $packet) {
        my $len = unpack 'N', substr $packet, $at, 4;
        push @messages, substr $packet, $at + 4, $len;
        $at += 4 + $len;
    }
    return ($ns, @messages);
}

1;
