#!/usr/bin/perl
# `oiduna dump --smf`: the file reads back as the same messages, at the times of dump's lines, track by track; and
# `dump --clock`, MIDI clock among the lines.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Program;
use Scratch;
use Test::More;
use TimeLimit;

my $oiduna = oiduna();
my $dir = scratch();

# ---- a small reader of Standard MIDI Files, written from the format's description ------------------------------------

sub variable {
    my ($bytes, $at) = @_;
    my $n = 0;
    while (1) {
        my $byte = ord substr $$bytes, $$at++, 1;
        $n = $n << 7 | $byte & 127;
        return $n if $byte < 128;
    }
}

# { name, messages => [[tick, bytes…]…], tempos => [[tick, microseconds]…] }
sub track {
    my ($bytes) = @_;
    my ($at, $tick, %track) = (0, 0);
    while ($at < length $bytes) {
        $tick += variable(\$bytes, \$at);
        my $status = ord substr $bytes, $at++, 1;
        if ($status == 0xff) {
            my $type = ord substr $bytes, $at++, 1;
            my $data = substr $bytes, $at, my $len = variable(\$bytes, \$at);
            $data = substr $bytes, $at, $len;
            $at += $len;
            $track{name} = $data if $type == 3;
            push @{ $track{tempos} }, [ $tick, unpack 'N', "\0$data" ] if $type == 0x51;
            $track{ended} = $at == length $bytes if $type == 0x2f;
        } elsif ($status == 0xf0) {
            my $len = variable(\$bytes, \$at);
            push @{ $track{messages} }, [ $tick, 0xf0, unpack 'C*', substr $bytes, $at, $len ];
            $at += $len;
        } else {
            my $len = ($status & 0xe0) == 0xc0 ? 1 : 2;
            push @{ $track{messages} }, [ $tick, $status, unpack 'C*', substr $bytes, $at, $len ];
            $at += $len;
        }
    }
    return \%track;
}

sub read_smf {
    my ($bytes) = @_;
    my ($magic, $size, $format, $n, $division) = unpack 'a4 N n n n', $bytes;
    my ($at, @tracks) = (14);
    while ($at < length $bytes) {
        my ($chunk, $len) = unpack 'a4 N', substr $bytes, $at, 8;
        die "chunk $chunk" unless $chunk eq 'MTrk';
        push @tracks, track(substr $bytes, $at + 8, $len);
        $at += 8 + $len;
    }
    return { magic => $magic, size => $size, format => $format, n => $n, division => $division, tracks => \@tracks };
}

# ns of a tick by the tempos of the conductor's track
sub ns_of {
    my ($tick, $tempos, $division) = @_;
    my ($ns, $at, $us) = (0, 0, 500000);
    for (@$tempos) {
        last if $_->[0] > $tick;
        $ns += ($_->[0] - $at) * $us * 1000 / $division;
        ($at, $us) = @$_;
    }
    return $ns + ($tick - $at) * $us * 1000 / $division;
}

# ---- the session -----------------------------------------------------------------------------------------------------

my @wave = map { sin($_ / 10) } 0 .. 255;
my %session = (
    tracks => encode_json({
        environment => { bpm => 132, swing => 0.5 },
        tracks => { kick => { params => { s => 'bd' } } },
        tracks_midi => {
            lead => { channel => 0, cc_modulations => { 1 => { signal => \@wave } } },
            'bass "two"' => { channel => 0, transpose => -12, pitch_bend_modulation => { signal => \@wave } },
        },
        sequences => {
            kick => { events => [ { step => 0 } ] },
            lead => { events => [ map { { step => 3 * $_, note => 60 + $_ % 12, gate => 1.3, offset_ms => $_ % 5 } } 0 .. 80 ] },
            'bass "two"' => { length => 48, events => [ { step => 0, note => 36, gate => 40 }, { step => 20, note => 36, gate => 3 } ] },
        },
    }),
    batch => encode_json({ bpm => 90, messages => [ map { { destination_id => 'midi', cycle => 0, %$_ } }
        { step => 0, params => { program => 5, bank_msb => 1, bank_lsb => 2 } }, { step => 3, params => { sysex => [ 1 .. 120 ] } },
        { step => 7, params => { note => 60, duration_ms => 333, track_id => 'x' } } ] }),
);

for my $name (sort keys %session) {
    spew("$name.json", $session{$name});
    my @lines = grep { $_->{midi} } dumped("$dir/$name.json --loops 2");
    is(`$oiduna dump $dir/$name.json --loops 2 --smf $dir/$name.mid`, '', "$name: nothing is printed");
    is($? >> 8, 0, "$name: written");
    my $smf = read_smf(slurp("$dir/$name.mid"));
    is("$smf->{magic} $smf->{size} $smf->{format} $smf->{n}", 'MThd 6 1 ' . @{ $smf->{tracks} }, "$name: format 1, as many tracks as it says");
    is(scalar(grep { $_->{ended} } @{ $smf->{tracks} }), $smf->{n}, "$name: each ends where it should");
    my @names = sort map { $_->{name} // () } @{ $smf->{tracks} };
    is_deeply(\@names, $name eq 'tracks' ? [ 'bass "two"', 'lead' ] : ['x'], "$name: a track for each track, by name");
    my $tempos = $smf->{tracks}[0]{tempos};
    is(scalar(@{ $smf->{tracks}[0]{messages} || [] }), 0, "$name: the first has the tempos only");
    is_deeply($tempos, [ [ 0, int(60e6 / ($name eq 'tracks' ? 132 : 90) + 0.5) ] ], "$name: the tempo");
    my @got = map { my $t = $_; map { [ ns_of($_->[0], $tempos, $smf->{division}), @$_[ 1 .. $#$_ ] ] } @{ $t->{messages} || [] } } @{ $smf->{tracks} };
    my $key = sub { join ' ', @_ };
    my @a = sort { $a cmp $b } map { $key->(@{ $_->{midi} }) } @lines;
    my @b = sort { $a cmp $b } map { $key->(@$_[ 1 .. $#$_ ]) } @got;
    is_deeply(\@b, \@a, "$name: the same messages: " . @a);
    my (%at, $worst);
    push @{ $at{ $key->(@{ $_->{midi} }) } }, $_->{t_ns} for @lines;
    $_ = [ sort { $a <=> $b } @$_ ] for values %at;
    for (sort { $a->[0] <=> $b->[0] } @got) {
        my $off = abs(shift(@{ $at{ $key->(@$_[ 1 .. $#$_ ]) } }) - $_->[0]);
        $worst = $off if $off > ($worst // 0);
    }
    cmp_ok($worst // 0, '<', 500_000, "$name: at their times, to half a millisecond");
}

# ---- another tempo in the middle ---------------------------------------------------------------------------------------

spew('script', qq({"session_file":"$dir/tracks.json"}\n{"cmd":"start"}\n{"run":64}\n{"cmd":"bpm","args":[66]}\n{"run":64}\n));
`$oiduna dump --script $dir/script --smf $dir/script.mid`;
my $tempos = read_smf(slurp("$dir/script.mid"))->{tracks}[0]{tempos};
is_deeply([ map { $_->[1] } @$tempos ], [ 454545, 909091 ], 'a change of tempo is in the file');
is($tempos->[1][0], 4 * 1920, 'at its beat');
is(system("$oiduna dump $dir/tracks.json --smf $dir/no/where 2>/dev/null") >> 8, 1, 'a file that cannot be written is an error');

# ---- read by another program ---------------------------------------------------------------------------------------------

# mido's reading: seconds and bytes of each message, the tempos taken into account
my $mido = <<'PY';
import sys, mido
at = 0
for message in mido.MidiFile(sys.argv[1], clip=False):
    at += message.time
    if not message.is_meta:
        print('%.6f' % at, *message.bytes())
PY
my ($python) = grep { system("$_ -c 'import mido' 2>/dev/null") == 0 } qw(/usr/bin/python3 python3);
SKIP: {
    skip 'python3-mido is not installed', 6 unless $python;
    spew('read.py', $mido);
    for ([ tracks => "$dir/tracks.json --loops 2" ], [ batch => "$dir/batch.json --loops 2" ], [ script => "--script $dir/script" ]) {
        my ($name, $what) = @$_;
        my @lines = grep { $_->{midi} } dumped($what);
        my (%at, @got, $worst);
        push @{ $at{"@{ $_->{midi} }"} }, $_->{t_ns} / 1e9 for @lines;
        $_ = [ sort { $a <=> $b } @$_ ] for values %at;
        for (split /\n/, `$python $dir/read.py $dir/$name.mid`) {
            my ($seconds, $message) = split / /, $_, 2;
            push @got, $message;
            my $off = abs((shift @{ $at{$message} || [] } // 1e9) - $seconds);
            $worst = $off if $off > ($worst // 0);
        }
        is(join(', ', sort @got), join(', ', sort map { "@{ $_->{midi} }" } @lines), "$name: mido reads the same messages: " . @got);
        cmp_ok($worst // 1, '<', 0.0006, "$name: and their times");
    }
}

# ---- slower than the format's slowest tempo ------------------------------------------------------------------------------

spew('slow', qq({"session_file":"$dir/tracks.json"}\n{"cmd":"bpm","args":[2]}\n{"cmd":"start"}\n{"run":64}\n{"cmd":"bpm","args":[1]}\n{"run":32}\n)
    . qq({"cmd":"bpm","args":[132]}\n{"run":64}\n));
my @sound = map { $_->{t_ns} } grep { $_->{midi} && ($_->{midi}[0] & 0xf0) == 0x90 } dumped("--script $dir/slow");
`$oiduna dump --script $dir/slow --smf $dir/slow.mid`;
my $slow = read_smf(slurp("$dir/slow.mid"));
$tempos = $slow->{tracks}[0]{tempos};
my @read = sort { $a <=> $b } map { ns_of($_->[0], $tempos, $slow->{division}) } grep { ($_->[1] & 0xf0) == 0x90 } map { @{ $_->{messages} || [] } } @{ $slow->{tracks} };
is_deeply([ map { $_->[1] } @$tempos ], [ 15e6, 15e6, 454545 ], 'below 3.58 BPM a beat is two quarters, or four');
my ($furthest) = sort { $b <=> $a } map { abs($read[$_] - $sound[$_]) } 0 .. $#sound;
is(scalar(@read), scalar(@sound), 'all notes are there');
cmp_ok($furthest, '<', 15e9 / 1920, 'at their times, to a tick');

# ---- clock ---------------------------------------------------------------------------------------------------------------

sub clock { return grep { $_->{midi} && $_->{midi}[0] >= 240 } dumped("$dir/tracks.json @_") }
is(scalar(clock('-o destination.midi.clock=playing')), 0, 'clock is printed only with --clock');
is(scalar(clock('--clock')), 0, 'and only of destinations that have it');
for my $n (1, 3, 16, 64) {
    my @clock = clock("--clock -o destination.midi.clock=playing -o engine.steps_per_beat=$n --steps " . 8 * $n);
    is_deeply($clock[0]{midi}, [250], "N = $n: a start");
    my @ticks = grep { $_->{midi}[0] == 248 } @clock;
    is(scalar(@ticks), 24 * 8, "N = $n: 24 ticks to the beat");
    my @off = grep { abs($ticks[$_]{t_ns} - int($_ * 60e9 / 132 / 24 + 0.5)) > 1 || $ticks[$_]{step} != -1 } 0 .. $#ticks;
    is("@off", '', "N = $n: each at its time, unswung, of no step");
}
done_testing();
