#!/usr/bin/perl
# What goes out by MIDI, on a real ALSA sequencer, which a build machine has not: the daemon plays in an emulated one
# (t/lib/Guest.pm), and what arrives at virtual raw MIDI devices, and over a USB cable that is pulled, is compared with what
# `oiduna dump` prints: byte for byte, in order, and each at its time.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Guest;
use JSON::PP;
use Program;
use Scratch;
use Test::More;
use TimeLimit seconds => 1200;

my $why_not = Guest::why_not();
plan skip_all => $why_not if $why_not;
my $dir = scratch();

# ---- what is played ------------------------------------------------------------------------------------------------

my @wave = map { sin($_ * 3.14159265 / 32) } 0 .. 255;
my ($on, $off) = (JSON::PP::true, JSON::PP::false);
sub batch { my ($env, @messages) = @_; return encode_json({ environment => $env, messages => [ map { { destination_id => 'midi', cycle => 0, %$_ } } @messages ] }) }

my %pad = (channel => 2, cc_modulations => { 11 => { signal => \@wave } });
my %chords = (length => 32, events => [ map { my $s = $_; map { { step => $s, note => $_ + $s, gate => 10.5 } } 48, 52, 55 } 0, 6, 16, 27 ]);
my %four = (bpm => 120, steps_per_beat => 4);
my %drone = (events => [ { step => 0, note => 50, gate => 200 }, { step => 0, note => 57, gate => 200 } ]);
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
    'batch.json' => batch({ %four, steps_per_beat => 16 },
        { step => 0, params => { program => 5, bank_msb => 1, bank_lsb => 2, channel => 3 } },
        { step => 0, params => { nrpn => 300, value => 9000 } },
        { step => 1, params => { rpn => 0, value => 256 } },
        { step => 1, params => { cc => 7, value14 => 8193 } },
        { step => 2, params => { sysex => [ 0x7d, 1 .. 100 ] } },
        { step => 3, params => { pitch_bend => -8192 } },
        { step => 3, params => { aftertouch => 99 } },
        { step => 4, params => { note => 64, aftertouch => 77 } },
        { step => 4, params => { note => 64, velocity => 90, duration_ms => 40 } },
        { step => 5, params => { cc => 64, value => 127, channel => 15 } }),
    # 1000 notes at once
    'burst.json' => batch(\%four, map { { step => 0, params => { note => $_ % 125, channel => int($_ / 125), duration_ms => 500 } } } 0 .. 999),
    # long notes, overlapping ones, early and late ones, controllers; with a scene, and one to swap it for
    'a.json' => encode_json({
        environment => \%four, apply => { timing => 'bar' },
        tracks_midi => { pad => \%pad, bass => { channel => 1, pitch_bend_modulation => { signal => \@wave } }, lead => { channel => 0 } },
        sequences => { pad => \%chords,
            bass => { length => 12, events => [ { step => 0, note => 36, gate => 9 }, { step => 5, note => 36, gate => 4, offset_ms => 7 }, { step => 9, note => 48 } ] },
            lead => { events => [ map { { step => $_, note => 60 + $_ % 7, gate => 1.5, offset_ms => (0, 40, -30)[ $_ % 3 ] } } 0 .. 255 ] } },
        scenes => { break => { tracks_midi => { pad => \%pad }, sequences => { pad => \%chords } } },
    }),
    'b.json' => encode_json({
        environment => \%four, apply => { timing => 'bar' },
        tracks_midi => { pad => \%pad, lead => { channel => 5, transpose => -12 } },
        sequences => { pad => \%chords, lead => { events => [ map { { step => 2 * $_, note => 60 + $_ % 5, gate => 3 } } 0 .. 127 ] } },
    }),
    'drone.json' => encode_json({
        tracks_midi => { drone => { channel => 2, cc_modulations => { 11 => { signal => [ (1) x 256 ] } } } },
        sequences => { drone => \%drone },
    }),
    'two.json' => encode_json({
        environment => \%four,
        tracks_midi => { drone => { channel => 3 }, 'by wire' => { channel => 2, destination => 'usb', cc_modulations => { 11 => { signal => \@wave } } } },
        sequences => { drone => \%drone, 'by wire' => \%drone },
    }),
    'here.conf' => "[destination midi]\nport = VirMIDI 0-0\nclock = playing\n",
    'tuned.conf' => "[engine]\nswing = 0.5\n[midi]\ninput = VirMIDI 0-2\n[midi-map]\nnote 9 36 = stop\n[destination midi]\nport = 16:0\nclock = playing\n",
    'there.conf' => "[destination midi]\nport = VirMIDI 0-1\nclock = playing\n",
);

# ---- performances --------------------------------------------------------------------------------------------------

# What a daemon and dump are both given: a name, the document, how many steps it is played, then commands with the step
# before which they act, counted from the start on: in time, or, with ~, sent half a step before that.
my @performance = (
    [ 'a batch: programs, NRPN, RPN, 14 bits, exclusive', 'batch', 40 ],
    [ '1000 notes at once', 'burst', 8 ],
    [ 'mute', 'a', 40, [ 8, mute => 'bass', $on ], [ 21, mute => 'bass', $off ], [ 27, mute => 'pad', $on ] ],
    [ 'solo', 'a', 40, [ 9, solo => 'lead', $on ], [ 23, solo => 'lead', $off ], [ 26, solo => 'pad', $on ], [ 30, 'mute/clear' ] ],
    [ 'panic', 'a', 30, [ 13, 'panic' ], [ 17, 'start' ] ],
    [ 'pause and continue', 'a', 60, [ 10, 'pause' ], [ 28, 'continue' ], [ 41, 'pause' ], [ 42, 'start' ] ],
    [ 'stop and start', 'a', 30, [ 11, 'stop' ], [ 14, 'start' ] ],
    [ 'another tempo', 'a', 40, [ 12, bpm => 240 ], [ 20, bpm => 60 ] ],
    [ 'a swap that removes a track, and undo', 'a', 60, [ '~10', session => 'b' ], [ '~24', 'undo' ] ],
    [ 'a scene, and undo', 'a', 50, [ '~5', scene => 'break', 'bar' ], [ '~17', 'undo', 'beat' ] ],
    [ 'reload', 'a', 40 ], # of a configuration in which other things are different
);
my @moved = ('another port', 'a', 40);

sub osc_argument { my ($v) = @_; return ref $v ? 'i:' . ($v ? 1 : 0) : $v =~ /^[\d.]+$/ ? "f:$v" : "s:$v" }

# The files of a performance, NAME.perform for `guest perform` and NAME.dump for `oiduna dump --script`.
sub write_performance {
    my ($name, $document, $steps, @commands) = @_;
    my $step_ns = $document eq 'batch' ? 31.25e6 : 125e6;
    my @plain = ('! -1400000000 /oiduna/mute/clear');
    push @plain, "! -1300000000 /oiduna/session b:/files/$document.json" if $document ne 'burst'; # which no datagram holds
    my @timed = ('@ 0 /oiduna/start');
    my @dump = ({ session_file => "$dir/$document.json" }, { cmd => 'start' });
    my ($at, $ns) = (0, 0);
    for (@commands, [ $steps, 'stop' ]) {
        my ($step, $command, @argument) = @$_;
        my $plain = $step =~ s/^~//;
        $ns += ($step - $at) * $step_ns;
        push @dump, { run => $step - $at }, $command eq 'session' ? { session_file => "$dir/$argument[0].json" } : { cmd => $command, args => \@argument };
        $at = $step;
        my $words = join ' ', "/oiduna/$command", $command eq 'session' ? "b:/files/$argument[0].json" : map { osc_argument($_) } @argument;
        push @plain, sprintf '! %d %s', $ns - $step_ns / 2, $words if $plain;
        push @timed, sprintf '@ %d %s', $ns, $words unless $plain;
        $step_ns = 60e9 / 4 / $argument[0] if $command eq 'bpm';
    }
    my @before = grep { /^! -/ } @plain;
    $file{"$name.perform"} = join "\n", @before, @timed, (grep { !/^! -/ } @plain), sprintf("! %d /oiduna/ping\n", $ns + 1e9);
    $file{"$name.dump"} = join '', map { encode_json($_) . "\n" } @dump;
}
write_performance(@$_) for @performance, \@moved;

my $perform = join '', map {
    my ($name, $document) = @$_;
    ($document eq 'burst' ? "oiduna ctl session /files/burst.json\n" : '') . ($name eq 'reload' ? "(sleep 3; cp /files/tuned.conf /run/conf; kill -HUP \$d) &\n" : '')
        . "echo \"start $name: \$(guest perform 57123 '/files/$name.perform')\"\n"
} @performance;

my $script = <<'SH' =~ s/PERFORM\n/$perform/r;
port='destination.midi.port=VirMIDI 0-0'

# a whole session, with clock; paused and continued in the middle; ended by SIGTERM while notes sound
record tracks 0-0; r=$!
daemon tracks -s /files/tracks.json -o "$port" -o destination.midi.clock=playing
oiduna ctl midi ports; oiduna ctl start; sleep 5; oiduna ctl pause; sleep 1; oiduna ctl continue; sleep 5
end_daemon tracks
sleep 0.2; kill $r

# performances; then commands when they come; then the port is another one
record performed 0-0; r=$!
record there 0-1
cp /files/here.conf /run/conf
daemon performed -c /run/conf -o osc.listen=127.0.0.1:57123 -o engine.lookahead_ms=250
PERFORM
oiduna ctl session /files/a.json; oiduna ctl start; now=$(cut -d' ' -f1 /proc/uptime); echo "begun at $now"; sleep 1
for c in 'mute pad on' 'mute pad off' 'solo lead on' 'solo lead off' 'scene break now' 'undo now' 'mute bass on' 'bpm 300' panic start; do
    sleep 0.7; oiduna ctl $c
done
sleep 0.5; oiduna ctl stop; cp /files/here.conf /run/conf; kill -HUP $d; sleep 1
(sleep 3.3; cp /files/there.conf /run/conf; kill -HUP $d) &
echo "start another port: $(guest perform 57123 '/files/another port.perform')"
oiduna ctl midi ports | grep destination
oiduna stats --json >/out/stats
end_daemon performed
sleep 0.2; kill $r

# killed while notes sound: the next one ends them
record killed 0-0; r=$!
daemon drone -s /files/drone.json -o "$port"
oiduna ctl start; sleep 1; kill -9 $d; wait $d 2>/dev/null; wc -l </out/killed
daemon again -s /files/drone.json -o "$port"
# the connection is cut while notes sound and made again
oiduna ctl start; sleep 1; c=$(aconnect -l | sed -n "s/^client \([0-9]*\): 'oiduna' .*/\1/p")
aconnect -d $c:0 16:0; sleep 1
end_daemon again
kill $r

# devices go and come back: one by its driver, one by its plug
plug 0582 0126 'Sound Module'; sleep 1; record usb 1-0
daemon unplug -s /files/two.json -o "$port" -o destination.usb.type=midi -o destination.usb.port=usb:0582:0126
oiduna ctl midi ports; oiduna ctl start; sleep 3
pull; oiduna ctl midi ports | grep usb; [ -e /dev/snd/midiC1D0 ] || echo pulled; oiduna ctl ping
plug 0582 0127 'Something Else'; sleep 1; oiduna ctl midi ports | grep 'destination usb'; pull
plug 0582 0126 'Sound Module'; record usb-again 1-0; sleep 2; oiduna ctl midi ports | grep usb
cd /sys/bus/platform/drivers/snd_virmidi; echo snd_virmidi.0 >unbind; [ -e /dev/snd/midiC0D0 ] || echo unplugged; sleep 1
oiduna ctl midi ports | grep destination; echo snd_virmidi.0 >bind; record plugged 0-0; sleep 1; cd /
oiduna ctl stop; oiduna ctl start; sleep 1; oiduna ctl stop
end_daemon unplug
SH

my $out = Guest::run(files => \%file, script => $script, devices => ['usb'], fast => 1, seconds => 600);
my @said = split /\n/, $out->{script} // '';

# ---- what came -----------------------------------------------------------------------------------------------------

sub messages { return Guest::messages($out, @_) }

spew($_, $file{$_}) for keys %file;

# [ns, bytes] …; a command's line may stand before what was due a little earlier
sub due {
    my ($arguments, $dest) = @_;
    my @lines = grep { $_->{midi} && $_->{dest} eq ($dest // 'midi') } dumped($arguments);
    my @order = sort { $lines[$a]{t_ns} <=> $lines[$b]{t_ns} || $a <=> $b } 0 .. $#lines;
    return map { [ $_->{t_ns}, Guest::hex_bytes($_) ] } @lines[@order];
}

# Strikes of a note that sounds, ends of one that does not; what was said of it all is about notes struck at the start.
sub disorder {
    my (%sounds, @wrong);
    for my $i (0 .. $#_) {
        my ($status, $note, $velocity) = map { hex } split / /, $_[$i];
        next unless ($status & 0xe0) == 0x80;
        my ($key, $strikes) = (($status & 15) . ":$note", $status >= 0x90 && $velocity ? 1 : 0);
        push @wrong, "message $i: $_[$i]" if ($sounds{$key} // 0) == $strikes;
        $sounds{$key} = $strikes;
    }
    return join ', ', @wrong;
}

sub same {
    my ($got, $want, $name) = @_;
    my $n = @$got > @$want ? @$got : @$want;
    my ($different) = grep { ($got->[$_] // '') ne ($want->[$_] // '') } 0 .. $n - 1;
    ok($n && !defined $different, $name)
        or diag 'message ' . ($different // 'none') . ': got ' . ($got->[ $different // 0 ] // 'nothing') . ', expected ' . ($want->[ $different // 0 ] // 'nothing');
}

ok(grep({ /destination midi is connected to Virtual Raw MIDI 0-0:VirMIDI 0-0/ } @said), 'the port is found by its name') or diag $out->{script};

my @tracks = messages('tracks');
my @want = map { $_->[1] } due("$dir/tracks.json --steps 2000 --clock -o destination.midi.clock=playing");
my ($paused) = grep { $tracks[$_] eq 'fc' } 0 .. $#tracks;
cmp_ok($paused // 0, '>', 300, 'a session plays until it is paused');
# what was sounding at the pause ends in the pause, after its stop: the rest is dump's
same([ @tracks[ 0 .. ($paused // 1) - 1 ] ], [ @want[ 0 .. ($paused // 1) - 1 ] ], 'until then the bytes are those of dump, clock included');
is(Guest::hanging(@tracks), '', 'SIGTERM leaves no note');
is(disorder(@tracks), '', 'and each has one end, in order');
is((grep { /^f[8abc]/ } @tracks)[-1], 'fc', 'the clock ends with a stop');
ok(grep({ /^tracks ended with 0$/ } @said), 'the exit code is 0');
is($tracks[0] . ' ' . $tracks[1], 'fa f8', 'start comes before the first tick');
my ($position) = grep { $tracks[$_] =~ /^f2/ } 0 .. $#tracks;
my ($continued) = grep { $tracks[$_] eq 'fb' } 0 .. $#tracks;
ok(defined $position && defined $continued && $continued > $position, 'continue follows a song position');
my (undef, $low, $high) = map { hex } split / /, $tracks[ $position // 0 ];
my $before = grep { $_ eq 'f8' } @tracks[ 0 .. $continued // 0 ];
is($before, 6 * ($low | $high << 7), 'which is where the next tick is: 6 ticks to the unit');

my @performed = Guest::taken($out, 'performed');
my %start = map { /^start (.*): (\d+)$/ } @said;
my ($begun) = map { /^begun at (\S+)/ } @said;
my @starts = sort { $a <=> $b } values %start, $begun * 1e9;
my $hundredth_ns = 10_000_000;

# of what was recorded, from shortly before this start to shortly before the next one
sub of_start {
    my ($start, @taken) = @_;
    my ($next) = grep { $_ > $start } @starts, 9e18;
    return grep { $_->[0] >= $start - $hundredth_ns && $_->[0] < $next - $hundredth_ns } @taken;
}

my @late;
for (@performance) {
    my ($name) = @$_;
    my @got = of_start($start{$name} // 0, @performed);
    @want = due("--script '$dir/$name.dump' --clock -o destination.midi.clock=playing");
    same([ map { $_->[1] } @got ], [ map { $_->[1] } @want ], "$name: every byte is dump's, in its order: " . @got);
    is(Guest::hanging(map { $_->[1] } @got), '', "$name: no note is left");
    my @off = map { $got[$_][0] - $start{$name} - $want[$_][0] } 0 .. ($#got < $#want ? $#got : $#want);
    push @late, @off unless $name =~ /1000|panic/; # where each message waits for those before it
}
@late = sort { $a <=> $b } @late;
cmp_ok($late[0], '>', -5000, 'nothing leaves before it is due');
cmp_ok($late[ 0.99 * @late ], '<', 100_000, sprintf 'from due time to byte: p50 %.0f us, p99 %.0f us, max %.0f us', map { $_ / 1000 } @late[ 0.5 * @late, 0.99 * @late, -1 ]);

my @instant = map { $_->[1] } of_start($begun * 1e9, @performed);
cmp_ok(scalar(@instant), '>', 200, 'commands that come when they come');
is(Guest::hanging(@instant), '', 'leave no note');
is(disorder(@instant), '', 'and every note has one end, in order');

my @here = map { $_->[1] } of_start($start{ $moved[0] } // 0, @performed);
my @there = messages('there');
@want = map { $_->[1] } due("--script '$dir/$moved[0].dump' --clock -o destination.midi.clock=playing");
my ($left) = grep { ($here[$_] // '') ne $want[$_] } 0 .. $#want;
cmp_ok($left // 0, '>', 50, 'another port in the configuration: what is played until then is played here');
is(join(' ', grep { !/^8/ } @here[ $left .. $#here ]), '', 'then what sounds ends here');
is(Guest::hanging(@here), '', 'all of it');
my @first = grep { !/^8/ } @there; # what ended lately here ends there, too
ok(grep({ /^b2 0b/ } @first[ 0 .. 20 ]), 'there the controllers are sent first');
is(join(' ', sort +(grep { /^[^89]/ } @there)[ -30 .. -1 ]), join(' ', sort +(grep { /^[^89]/ } @want)[ -30 .. -1 ]), 'and all the rest');
is(Guest::hanging(@there), '', 'no note is left there');
ok(grep({ /destination midi is connected to Virtual Raw MIDI 0-1/ } @said), 'the old connection is gone');
like($out->{'performed.log'}, qr/in force: destination\.midi\.port|destination\.midi\.port in force/, 'it is told');

my $stats = decode_json($out->{stats} || '{}');
my ($midi) = grep { $_->{name} eq 'midi' } @{ $stats->{destinations} || [] };
is(join(' ', map { $midi->{$_} ? 1 : 0 } qw(send_full send_errors reachable)), '0 0 1', 'nothing was refused, somebody listens');

my @killed = messages('killed');
is(join(', ', @killed[ 0 .. 2 ]), 'b2 0b 7f, 92 32 7f, 92 39 7f', 'notes sound when it is killed');
is(join(', ', sort @killed[ 3 .. 4 ]), '82 32 00, 82 39 00', 'and the next start ends them');
is(join(', ', sort @killed[ 8 .. 9 ]), '82 32 00, 82 39 00', 'a connection that is cut and made again: they end');
is(Guest::hanging(@killed), '', 'nothing is left');

ok(grep({ /destination usb is connected to Sound Module:/ } @said), 'a USB device is found by vendor and product') or diag $out->{script};
ok(grep({ $_ eq 'pulled' } @said), 'it is pulled');
is(join(' ', map { /^destination usb is connected to (\S+)/ } @said), 'Sound no no Sound Sound', 'nobody listens then, nor does another device; and it listens again');
my @usb = messages('usb');
@want = map { $_->[1] } due("$dir/two.json -o destination.usb.type=midi", 'usb');
same(\@usb, [ @want[ 0 .. $#usb ] ], 'until it was pulled, its bytes are those of dump: ' . @usb);
my @again = messages('usb-again');
is(join(', ', sort @again[ 0 .. 1 ]), '82 32 00, 82 39 00', 'what sounded when it was pulled ends when it is back');
like($again[2], qr/^b2 0b/, 'its controllers are sent again');
is(Guest::hanging(@again), '', 'and no note is left');
ok(grep({ $_ eq 'unplugged' } @said), 'a card is taken away');
like($out->{'unplug.log'}, qr/midi: no listeners left.*midi: connected to.*VirMIDI 0-0/s, 'the daemon says so, and connects again by name');
my @plugged = messages('plugged');
is(join(', ', @plugged[ 0 .. 1 ]), '83 32 00, 83 39 00', 'what sounded ends');
is(Guest::hanging(@plugged), '', 'and no note is left');

diag $out->{script} unless Test::More->builder->is_passing;
done_testing();
