#!/usr/bin/perl
# MIDI on a real ALSA sequencer, which a build machine has not: the daemon plays in an emulated one (t/lib/Guest.pm), and
# what arrives at virtual raw MIDI devices is compared, byte for byte and in order, with what `oiduna dump` prints.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp qw(tempdir);
use Guest;
use JSON::PP;
use Test::More;

my $why_not = Guest::why_not();
plan skip_all => $why_not if $why_not;
my $oiduna = $ENV{OIDUNA} || 'build/oiduna';
my $dir = tempdir(CLEANUP => 1);
$ENV{XDG_CONFIG_HOME} = $dir;

# ---- what is played ------------------------------------------------------------------------------------------------

my @wave = map { sin($_ * 3.14159265 / 32) } 0 .. 255;
my %file = (
    # everything that a track can
    'tracks.json' => encode_json({
        environment => { bpm => 150, swing => 0.3 },
        tracks_midi => {
            lead => { channel => 0, transpose => 12, cc_modulations => { 1 => { signal => \@wave }, 74 => { signal => [ (0.25) x 256 ] } } },
            bass => { channel => 1, pitch_bend_modulation => { signal => \@wave }, aftertouch_modulation => { signal => \@wave } },
        },
        sequences => {
            lead => { events => [ map { { step => $_, note => 60 + $_ % 7, gate => 1.5 } } 0 .. 255 ] },
            bass => { length => 24, events => [ { step => 0, note => 36, gate => 20 }, { step => 10, note => 36, gate => 4, offset_ms => 7 }, { step => 12, note => 48 } ] },
        },
    }),
    # … and a batch
    'batch.json' => encode_json({ bpm => 120, messages => [ map { { destination_id => 'midi', cycle => 0, %$_ } } (
        { step => 0, params => { program => 5, bank_msb => 1, bank_lsb => 2, channel => 3 } },
        { step => 0, params => { nrpn => 300, value => 9000 } },
        { step => 1, params => { rpn => 0, value => 256 } },
        { step => 1, params => { cc => 7, value14 => 8193 } },
        { step => 2, params => { sysex => [ 0x7d, 1 .. 100 ] } },
        { step => 3, params => { pitch_bend => -8192 } },
        { step => 3, params => { aftertouch => 99 } },
        { step => 4, params => { note => 64, aftertouch => 77 } },
        { step => 4, params => { note => 64, velocity => 90, duration_ms => 40 } },
        { step => 5, params => { cc => 64, value => 127, channel => 15 } },
    ) ] }),
    # 1000 notes at once
    'burst.json' => encode_json({ messages => [ map { { destination_id => 'midi', cycle => 0, step => 0,
        params => { note => $_ % 125, channel => int($_ / 125), duration_ms => 500 } } } 0 .. 999 ] }),
    # long notes, and a controller that never changes
    'drone.json' => encode_json({
        tracks_midi => { drone => { channel => 2, cc_modulations => { 11 => { signal => [ (1) x 256 ] } } } },
        sequences => { drone => { events => [ { step => 0, note => 50, gate => 200 }, { step => 0, note => 57, gate => 200 } ] } },
    }),
    'silent.json' => encode_json({ tracks_midi => { pad => { channel => 0 } }, sequences => { pad => { events => [ map { { step => 4 * $_, note => 40 } } 0 .. 63 ] } } }),
    'map.conf' => <<'CONF',
[midi]
input = VirMIDI 0-2
[midi-map]
note 9 36 = mute pad
note 9 37 = start
cc 0 20 = bpm 60 187
program 0 4 = stop
CONF
);

# `daemon NAME OPTION…` runs one, its log in NAME.log; `record NAME DEVICE`; both end with `finish`.
my $script = <<'SH';
daemon() { n=$1; shift; oiduna run -o osc.listen=127.0.0.1:0 -o engine.lookahead_ms=250 -o engine.drop_after_ms=20000 "$@" >/out/$n.log 2>&1 & d=$!
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do oiduna ctl ping >/dev/null 2>&1 && break; sleep 0.2; done; }
record() { guest record /dev/snd/midiC0D$2 /out/$1 & r=$!; sleep 0.3; }
lines() { i=0; while [ $(wc -l </out/$1) -lt $2 ] && [ $i -lt 100 ]; do sleep 0.2; i=$((i+1)); done; }
finish() { kill $d; wait $d; echo "$1 ended with $?"; sleep 0.2; kill $r; wait $r 2>/dev/null; }
to0='-o destination.midi.port=VirMIDI.0-0'
port='destination.midi.port=VirMIDI 0-0'

# a whole session, with clock; paused and continued in the middle; ended by SIGTERM while notes sound
record tracks 0
daemon tracks -s /files/tracks.json -o "$port" -o destination.midi.clock=playing
oiduna ctl midi ports; oiduna ctl start; lines tracks 400; oiduna ctl pause; sleep 1; oiduna ctl continue; lines tracks 800
finish tracks

record batch 0
daemon batch -s /files/batch.json -o "$port"
oiduna ctl start; lines batch 20; oiduna ctl stop
oiduna ctl session /files/burst.json; wc -l </out/batch; oiduna ctl start; lines batch 2020; oiduna ctl stop
oiduna stats --json >/out/stats
finish batch

# killed while notes sound: the next one ends them
record killed 0
daemon drone -s /files/drone.json -o "$port"
oiduna ctl start; lines killed 3; kill -9 $d; wait $d 2>/dev/null; wc -l </out/killed
daemon again -s /files/drone.json -o "$port"
lines killed 5
# the connection is cut while notes sound and made again
oiduna ctl start; lines killed 8; c=$(aconnect -l | sed -n "s/^client \([0-9]*\): 'oiduna' .*/\1/p"); v=$(aconnect -l | sed -n "s/^client \([0-9]*\): 'Virtual Raw MIDI 0-0'.*/\1/p")
aconnect -d $c:0 $v:0; sleep 1; lines killed 12
finish again

# the device goes and comes back
daemon unplug -s /files/drone.json -o "$port"
oiduna ctl start; sleep 1; cd /sys/bus/platform/drivers/snd_virmidi; echo snd_virmidi.0 >unbind; [ -e /dev/snd/midiC0D0 ] || echo unplugged; sleep 1
oiduna ctl midi ports | grep destination; echo snd_virmidi.0 >bind; sleep 1; oiduna ctl midi ports | grep destination; cd /
record plugged 0
oiduna ctl stop; oiduna ctl start; lines plugged 3; oiduna ctl stop
finish unplug

# an external clock: 137 BPM with jitter, from beat 4 on; then it stops, goes on, and is lost
record sync 0
daemon sync -s /files/drone.json -o "$port" -o "engine.sync=midi:VirMIDI 0-1"
guest play /dev/snd/midiC0D1 'f8*48@18248~1000' f2,10,00 fb 'f8*144@18248~1000'
oiduna ctl status; guest play /dev/snd/midiC0D1 fc; sleep 0.5; oiduna ctl status
guest play /dev/snd/midiC0D1 fa 'f8*120@18248'; sleep 2; oiduna ctl status; oiduna ctl midi ports
finish sync

# pads
record map 0
daemon map -s /files/silent.json -o "$port" -c /files/map.conf
oiduna ctl midi learn >/out/learn & l=$!
oiduna ctl midi monitor >/out/monitor & m=$!
sleep 1
oiduna ctl tracks
guest play /dev/snd/midiC0D2 99,24,64 89,24,00 99,25,64 b0,14,7f; sleep 1
oiduna ctl tracks; oiduna ctl status
guest play /dev/snd/midiC0D2 99,24,64 1000ms c0,04; sleep 1; oiduna ctl tracks; oiduna ctl status
kill $l $m
finish map
SH

my $out = Guest::run(files => \%file, script => $script, seconds => 240);
my @said = split /\n/, $out->{script} // '';

# ---- what came -----------------------------------------------------------------------------------------------------

sub taken { my ($name) = @_; return map { [ /^(\d+) (.*)/ ] } grep { /^\d/ } split /\n/, $out->{$name} // '' }
sub messages { return map { $_->[1] } taken(@_) }

sub dumped {
    my ($file, @options) = @_;
    open my $f, '>', "$dir/$file" or die;
    print $f $file{$file};
    close $f;
    my @lines = split /\n/, `$oiduna dump $dir/$file @options`;
    return map { join ' ', map { sprintf '%02x', $_ } @{ decode_json($_)->{midi} } } @lines;
}

# note ends belonging to nobody, strikes without an end
sub hanging {
    my %on;
    for (@_) {
        my ($status, $note, $velocity) = map { hex } split / /;
        next unless ($status & 0xe0) == 0x80;
        my $key = ($status & 15) . ":$note";
        if ($status >= 0x90 && $velocity) { $on{$key}++ } else { $on{$key} = 0 }
    }
    return join ' ', grep { $on{$_} } sort keys %on;
}

sub same_beginning {
    my ($got, $want, $n, $name) = @_;
    my ($different) = grep { ($got->[$_] // '') ne ($want->[$_] // '') } 0 .. $n - 1;
    ok(!defined $different, $name) or diag "message $different: got " . ($got->[$different] // 'nothing') . ", expected $want->[$different]";
}

ok(grep({ /destination midi goes to Virtual Raw MIDI 0-0:VirMIDI 0-0/ } @said), 'the port is found by its name') or diag $out->{script};

my @tracks = messages('tracks');
my @want = dumped('tracks.json', '--steps 2000 --clock -o destination.midi.clock=playing');
my ($paused) = grep { $tracks[$_] eq 'fc' } 0 .. $#tracks;
cmp_ok($paused // 0, '>', 300, 'a session plays until it is paused');
# what was sounding at the pause ends in the pause, after its stop: the rest is dump's
same_beginning(\@tracks, \@want, ($paused // 1) - 1, 'until then the bytes are those of dump, clock included');
is(hanging(@tracks), '', 'SIGTERM leaves no note');
is((grep { /^f[8abc]/ } @tracks)[-1], 'fc', 'and ends the clock with a stop');
ok(grep({ /^tracks ended with 0$/ } @said), 'the exit code is 0');
is($tracks[0] . ' ' . $tracks[1], 'fa f8', 'start comes before the first tick');
my ($position) = grep { $tracks[$_] =~ /^f2/ } 0 .. $#tracks;
my ($continued) = grep { $tracks[$_] eq 'fb' } 0 .. $#tracks;
ok(defined $position && defined $continued && $continued > $position, 'continue follows a song position');
my (undef, $low, $high) = map { hex } split / /, $tracks[$position // 0];
my $before = grep { $_ eq 'f8' } @tracks[ 0 .. $continued // 0 ];
is($before, 6 * ($low | $high << 7), 'which is where the next tick is: 6 ticks to the unit');

my @batch = messages('batch');
@want = dumped('batch.json', '--steps 8');
same_beginning(\@batch, \@want, scalar @want, 'a batch: programs, NRPN, RPN, 14 bits, exclusive: as dumped');
my %burst;
$burst{$_}++ for grep { /^9[0-7]/ } @batch[ scalar(@want) .. $#batch ];
is(scalar(keys %burst), 1000, '1000 notes at once lose none');
is(hanging(@batch), '', 'and all of them end');
my $stats = decode_json($out->{stats} || '{}');
my ($midi) = grep { $_->{name} eq 'midi' } @{ $stats->{destinations} || [] };
is(join(' ', map { $midi->{$_} ? 1 : 0 } qw(send_full send_errors reachable)), '0 0 1', 'nothing was refused, somebody listens');

my @killed = messages('killed');
is(join(', ', @killed[ 0 .. 2 ]), 'b2 0b 7f, 92 32 7f, 92 39 7f', 'notes sound when it is killed');
is(join(', ', sort @killed[ 3 .. 4 ]), '82 32 00, 82 39 00', 'and the next start ends them');
is(join(', ', sort @killed[ 8 .. 9 ]), '82 32 00, 82 39 00', 'a connection that is cut and made again: they end');
is(hanging(@killed), '', 'nothing is left');

ok(grep({ $_ eq 'unplugged' } @said), 'the device can be pulled');
ok($out->{'unplug.log'} =~ /nobody listens.*connected to.*VirMIDI 0-0/s, 'the daemon says so, and connects again by name');
my @plugged = messages('plugged');
is(scalar(grep { $_ eq 'b2 0b 7f' } @plugged), 1, 'its controllers are sent again');
is(hanging(@plugged), '', 'and no note is left');

my @status = grep { /^(playing|stopped|paused)/ } @said;
my ($bpm) = ($status[0] // '') =~ /([\d.]+) bpm/i;
cmp_ok(abs(($bpm // 0) - 137), '<', 5, 'the tempo of an external clock is followed: ' . ($bpm // 'none'));
like($status[0], qr/^playing/, 'continue makes it play') or diag $out->{script};
my ($step) = ($status[0] // '') =~ /step (\d+)/;
cmp_ok($step // 0, '>', 64 + 60, 'from the song position on');
like($status[1], qr/^stopped/, 'stop stops');
like($status[2], qr/^playing/, 'start starts, and it goes on when the clock is lost');
like($out->{'sync.log'}, qr/is lost; the tempo stays at 1[34]\d/, 'which is said');

my @pad = grep { /\bpad\b/ } @said;
unlike($pad[0], qr/muted/, 'a pad sounds');
like($pad[1], qr/muted/, 'a mapped note mutes it');
unlike($pad[2], qr/muted/, 'and again: not');
like($status[3], qr/^playing.*\b187\b/, 'a note starts, a knob sets the tempo');
like($status[4], qr/^stopped/, 'a program change stops');
like($out->{learn} // '', qr/^note 9 36 = \nnote 9 37 = \ncc 0 20 = /m, 'learn prints the lines');
like($out->{monitor} // '', qr/in .*note 36 on 100, channel 9.*out midi: note 40 on/s, 'monitor shows what comes in and goes out');

diag $out->{script} unless Test::More->builder->is_passing;
done_testing();
