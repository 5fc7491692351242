#!/usr/bin/perl
# What comes in by MIDI, on a real ALSA sequencer in an emulated machine (t/lib/Guest.pm), from other programs and devices: clock
# (a jittery one, and midish), pads and knobs (raw bytes, a file by aplaymidi, a USB device), connections made by hand; and
# what `dump --smf` exports, played by aplaymidi.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Guest;
use JSON::PP;
use Program qw(dumped oiduna);
use Scratch;
use Test::More;
use TimeLimit seconds => 1200;

my $why_not = Guest::why_not() || (grep({ !Guest::has($_) } qw(aplaymidi midish)) ? 'aplaymidi or midish is not installed' : '');
plan skip_all => $why_not if $why_not;
my $oiduna = oiduna();
my $dir = scratch();

# A Standard MIDI File of one track, of a tempo: [1/960 beats after the one before, bytes…] …
sub smf {
    my $bpm = shift;
    my $track = '';
    for (@_) {
        my ($ticks, @bytes) = @$_;
        my $varying = $ticks < 128 ? chr $ticks : chr(0x80 | $ticks >> 7) . chr($ticks & 127);
        $track .= $varying . pack 'C*', @bytes;
    }
    $track = "\0\xff\x51\x03" . substr(pack('N', 60e6 / $bpm), 1) . "$track\0\xff\x2f\0";
    return 'MThd' . pack('N n n n', 6, 0, 1, 960) . 'MTrk' . pack('N', length $track) . $track;
}

my %drone = (events => [ { step => 0, note => 50, gate => 200 }, { step => 0, note => 57, gate => 200 } ]);
my %file = (
    'drone.json' => encode_json({ tracks_midi => { drone => { channel => 2 } }, sequences => { drone => \%drone } }),
    'pad.json' => encode_json({
        tracks_midi => { pad => { channel => 0 }, bass => { channel => 1 } },
        sequences => { map { my $n = $_; $n => { events => [ map { { step => 4 * $_, note => $n eq 'pad' ? 40 : 30, gate => 3 } } 0 .. 63 ] } } qw(pad bass) },
        scenes => { drop => { tracks_midi => { bass => { channel => 1 } }, sequences => { bass => { events => [ map { { step => 4 * $_, note => 31, gate => 3 } } 0 .. 63 ] } } } },
    }),
    'song.json' => encode_json({
        environment => { bpm => 132, swing => 0.5 },
        tracks_midi => { lead => { channel => 0, cc_modulations => { 1 => { signal => [ map { sin($_ / 10) } 0 .. 255 ] } } }, bass => { channel => 1 } },
        sequences => { lead => { events => [ map { { step => 3 * $_, note => 60 + $_ % 12, gate => 1.3, offset_ms => $_ % 5 } } 0 .. 40 ] },
            bass => { length => 48, events => [ { step => 0, note => 36, gate => 40 }, { step => 20, note => 36, gate => 3 } ] } },
    }),
    'map.conf' => <<'CONF',
[midi]
input = VirMIDI 0-2
[midi-map]
note 9 36 = mute pad
note 9 37 = start
note 9 38 = solo bass hold
note 9 39 = scene drop now
note 9 40 = undo now
cc 0 20 = bpm 60 187
cc 0 21 = panic
program 0 4 = stop
CONF
    # ms: a pad is held, a scene chosen and taken back, a knob turned, a button pressed
    'pads.mid' => smf(62.5, [ 0, 0x99, 37, 100 ], [ 500, 0x99, 38, 100 ], [ 1000, 0x89, 38, 0 ], [ 500, 0x99, 39, 90 ], [ 1000, 0x99, 40, 90 ], [ 500, 0xb0, 20, 0 ],
        [ 500, 0xb0, 21, 127 ], [ 200, 0xb0, 21, 0 ]),
    # eight beats, to be led by
    map { ("lead$_.mid" => smf($_, [ 0, 0x90, 60, 100 ], [ 8 * 960, 0x80, 60, 0 ])) } 93, 141,
);
spew($_, $file{$_}) for keys %file;
system("$oiduna dump $dir/song.json --smf $dir/song.mid") == 0 or die 'no file was exported';
$file{'song.mid'} = slurp("$dir/song.mid");

my $script = <<'SH';
port='destination.midi.port=VirMIDI 0-0'

# an external clock: 137 BPM with jitter, from beat 4 on; then it stops, goes on, and is lost
record sync 0-0; r=$!
daemon sync -s /files/drone.json -o "$port" -o "engine.sync=midi:VirMIDI 0-1"
guest play /dev/snd/midiC0D1 'f8*48@18248~1000' f2,10,00 fb 'f8*144@18248~1000'
oiduna ctl status; guest play /dev/snd/midiC0D1 fc; sleep 0.5; oiduna ctl status
guest play /dev/snd/midiC0D1 fa 'f8*120@18248'; sleep 2; oiduna ctl status; oiduna ctl midi ports
end_daemon sync; sleep 0.2; kill $r

# another program's: midish leads, twice
record led 0-0; r=$!
daemon led -s /files/drone.json -o "$port" -o engine.sync=midi:midish
for bpm in 93 141; do
    (printf 'dnew 0 nil wo\ndclktx {0}\nimport "/files/lead%s.mid"\nsetunit 96\np\n' $bpm; sleep 8) | midish -b >/out/midish 2>&1 & p=$!
    sleep 3; oiduna ctl status; wait $p; sleep 1; oiduna ctl status
done
end_daemon led; sleep 0.2; kill $r

# pads, by raw bytes and by a file; what is seen of them; a device that comes while we learn
record map 0-0; map=$!
record also 0-3
daemon map -s /files/pad.json -o "$port" -c /files/map.conf
oiduna ctl midi learn >/out/learn & l=$!
oiduna ctl midi monitor >/out/monitor & m=$!
sleep 1
oiduna ctl tracks
guest play /dev/snd/midiC0D2 99,24,64 89,24,00 99,25,64 b0,14,7f; sleep 1
oiduna ctl tracks; oiduna ctl status
guest play /dev/snd/midiC0D2 99,24,64 1000ms c0,04; sleep 1; oiduna ctl tracks; oiduna ctl status
plug 0582 0126 'Pad Nine'; sleep 1; guest play /dev/snd/midiC1D0 9b,30,64; sleep 0.5
date=$(cut -d' ' -f1 /proc/uptime); echo "file at $date"
aplaymidi -p 'oiduna in:2' /files/pads.mid; sleep 1; oiduna ctl status
kill $l $m

# by hand
oiduna ctl midi connect midi 'VirMIDI 0-3'; oiduna ctl midi connect midi 'no such thing'; oiduna ctl midi connect superdirt 'VirMIDI 0-3'
oiduna ctl midi ports | grep destination; oiduna ctl test-sound; sleep 2
oiduna stats --json >/out/stats
end_daemon map; sleep 0.2; kill $map

record song 0-0
aplaymidi -d 0 -p 16:0 /files/song.mid; sleep 0.5
SH

my $out = Guest::run(files => \%file, script => $script, devices => ['usb'], seconds => 600);
my @said = split /\n/, $out->{script} // '';
my @status = grep { /^(playing|stopped|paused)/ } @said;
sub messages { return Guest::messages($out, @_) }

# ---- clock ---------------------------------------------------------------------------------------------------------

my ($bpm) = ($status[0] // '') =~ /([\d.]+) bpm/i;
cmp_ok(abs(($bpm // 0) - 137), '<', 1, 'the tempo of an external clock is followed, jitter or not: ' . ($bpm // 'none')) or diag $out->{script};
like($status[0], qr/^playing/, 'continue makes it play');
my ($step) = ($status[0] // '') =~ /step (\d+)/;
cmp_ok($step // 0, '>', 64 + 60, 'from the song position on');
like($status[1], qr/^stopped/, 'stop stops');
like($status[2], qr/^playing/, 'start starts, and it goes on when the clock is lost');
like($out->{'sync.log'}, qr/lost; the tempo stays at 13[67]\./, 'which is said');
is(Guest::hanging(messages('sync')), '', 'no note is left');

like($out->{'led.log'}, qr/engine\.sync: connected to midish.*receiving clock from midish/s, "midish's clock is found when midish starts") or diag $out->{script};
my @led = map { [ /^(\w+).*? ([\d.]+) bpm/ ] } @status[ 3 .. 6 ];
is(join(' ', map { $_->[0] // '' } @led), 'playing stopped playing stopped', 'it starts and stops us, twice');
my @tempo = map { $_->[1] // 0 } @led;
cmp_ok(abs($tempo[0] - 93), '<', 0.2, "its tempo is ours: $tempo[0]");
cmp_ok(abs($tempo[2] - 141), '<', 0.2, "and the other: $tempo[2]");
my @struck = grep { $_->[1] =~ /^92 32/ } Guest::taken($out, 'led');
is(scalar(@struck), 2, 'the music begins with each start');
is(Guest::hanging(messages('led')), '', 'no note is left');

# ---- pads ----------------------------------------------------------------------------------------------------------

my @pad = grep { /\bpad\b/ } @said;
unlike($pad[0], qr/muted/, 'a pad sounds');
like($pad[1], qr/muted/, 'a mapped note mutes it');
unlike($pad[2], qr/muted/, 'and again: not');
like($status[7], qr/^playing.*\b187\b/, 'a note starts, a knob sets the tempo');
like($status[8], qr/^stopped/, 'a program change stops');
like($out->{learn} // '', qr/^note 9 36 = \nnote 9 37 = \ncc 0 20 = /m, 'learn prints the lines');
like($out->{learn} // '', qr/^note 11 48 = $/m, 'of a device too that was plugged in only then');
like($out->{monitor} // '', qr/in .*note 36 on 100, channel 9.*out midi: note 40 on/s, 'monitor shows what comes in and goes out');
like($out->{monitor} // '', qr/controller 21 = 127, channel 0/, 'from other programs, too');

my ($file_s) = map { /^file at (\S+)/ } @said;
my @played = map { [ $_->[0] / 1e9 - $file_s, $_->[1] ] } grep { $_->[0] > $file_s * 1e9 } Guest::taken($out, 'map');
sub struck { my ($from, $to, $note) = @_; return scalar grep { $_->[0] > $from && $_->[0] < $to && $_->[1] =~ /^9. $note (?!00)/ } @played }
ok(struck(0, 0.6, '28') && struck(0, 0.6, '1e'), 'a file by aplaymidi: its first note starts both tracks');
ok(!struck(0.75, 1.5, '28') && struck(0.75, 1.5, '1e'), 'a pad that is held solos one');
ok(struck(1.7, 2.1, '28'), 'until it is let go');
ok(struck(2, 2.4, '1f') && !struck(2.3, 2.9, '28'), 'a note brings a scene');
ok(struck(3.1, 3.6, '28'), 'and another takes it back');
like($status[9], qr/^stopped.*\b60\b/, 'a knob at its beginning, and panic');
ok(grep({ /^b0 7b 00/ } map { $_->[1] } @played), 'which ends all notes');
is(Guest::hanging(messages('map')), '', 'no note is left');

cmp_ok(decode_json($out->{stats} || '{}')->{midi_received} // 0, '>=', 4 + 2 + 1 + 8, 'what came in is counted') or diag $out->{stats};

# ---- by hand -------------------------------------------------------------------------------------------------------

my @goes = map { /^destination midi is connected to (.*)/ } @said;
like($goes[-1], qr/VirMIDI 0-0.*VirMIDI 0-3/, 'midi connect connects another port');
ok(grep({ /no writable port matches 'no such thing'/ } @said), 'what there is not is an error');
ok(grep({ /superdirt is not a MIDI destination/ } @said), 'so is what is not MIDI');
is(join(' ', grep { /^9/ } messages('also')), join(' ', ('90 3c 64') x 4), 'four clicks are heard there');
is(join(' ', (grep { /^9/ } messages('map'))[ -4 .. -1 ]), join(' ', ('90 3c 64') x 4), 'and here');

# ---- a file --------------------------------------------------------------------------------------------------------

my @want = map { Guest::hex_bytes($_) } grep { $_->{midi} } dumped("$dir/song.json");
my @got = messages('song');
is(join(', ', sort @got), join(', ', sort @want), 'an exported file, played by aplaymidi: the same messages: ' . @got);
for my $channel (0, 1) {
    is(join(', ', grep { /^.$channel/ } @got), join(', ', grep { /^.$channel/ } @want), "in their order on channel $channel");
}

diag $out->{script} unless Test::More->builder->is_passing;
done_testing();
