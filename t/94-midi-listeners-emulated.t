#!/usr/bin/perl
# Others on the same sequencer, in an emulated machine: a listener that hangs, a cable that is cut by hand, somebody who
# watches, and gear whose clock stops with its music.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Guest;
use JSON::PP;
use Program qw(dumped);
use Scratch;
use Test::More;
use TimeLimit seconds => 1200;

my $why_not = Guest::why_not();
plan skip_all => $why_not if $why_not;
plan skip_all => 'aseqdump and aconnect are not installed' if grep { !Guest::has($_) } qw(aseqdump aconnect);
my $dir = scratch();

sub exclusive { my ($step, $n) = @_; return { destination_id => 'midi', cycle => 0, step => $step, params => { sysex => [ 0x7d, map { $_ % 128 } 1 .. $n - 3 ] } } }
sub struck { my ($step, $note) = @_; return { destination_id => 'midi', cycle => 0, step => $step, params => { note => $note, duration_ms => 100 } } }
my %file = (
    # 32 notes a second, two at a time, some struck again while they sound
    'notes.json' => encode_json({
        environment => { bpm => 120, steps_per_beat => 16 },
        tracks_midi => { high => { channel => 0 }, low => { channel => 1 } },
        sequences => {
            high => { events => [ map { { step => 2 * $_, note => 60 + $_ % 5, gate => 1.5 } } 0 .. 127 ] },
            low => { events => [ map { { step => 2 * $_, note => 40 + $_ % 2, gate => 5 } } 0 .. 127 ] },
        },
    }),
    'exclusive.json' => encode_json({ environment => { bpm => 120, steps_per_beat => 16 },
        messages => [ exclusive(0, 12), exclusive(4, 1025), exclusive(8, 20_000), struck(16, 61) ] }),
    'port.conf' => "[destination midi]\nport = VirMIDI 0-0\n",
    'none.conf' => "[destination midi]\nport =\n",
);

my $script = <<'SH';
# a listener that hangs, for 20 s of music
record hung 0-0; r=$!
cp /files/port.conf /run/conf
daemon hung -s /files/notes.json -c /run/conf
c=$(aconnect -l | sed -n "s/^client \([0-9]*\): 'oiduna' .*/\1/p")
aseqdump -p $c:0 >/out/heard & l=$!
sleep 0.5; kill -STOP $l
oiduna ctl start; sleep 20; oiduna ctl stop; sleep 1
oiduna stats --json >/out/stats
kill -CONT $l; sleep 1; kill $l
# a cable that is cut by hand, and one that is cut for good
aconnect -d $c:0 16:0; sleep 0.5; oiduna ctl midi ports | grep 'destination'
cp /files/none.conf /run/conf; kill -HUP $d; sleep 0.5; oiduna ctl midi ports | grep 'destination'
end_daemon hung
kill $r

# somebody who watches
daemon watched -s /files/exclusive.json -c /files/port.conf
oiduna ctl midi monitor >/out/monitor & m=$!
oiduna ctl midi learn >/out/learn & l=$!
sleep 0.5; oiduna ctl start; sleep 1.5; oiduna ctl stop; sleep 0.5
kill $m $l
end_daemon watched

# gear whose clock stops with its music, twice; then its cable is pulled
daemon clock -s /files/notes.json -o 'engine.sync=midi:VirMIDI 0-1'
for i in 1 2; do
    guest play /dev/snd/midiC0D1 fa 'f8*48@20833' fc; sleep 2.5; oiduna ctl status
done
oiduna stats --json >/out/quiet
oiduna ctl bpm 90
guest play /dev/snd/midiC0D1 fa 'f8*48@20833'; sleep 2.5
oiduna stats --json >/out/lost
oiduna ctl status
end_daemon clock
SH

my $out = Guest::run(files => \%file, script => $script, seconds => 600);
my @said = split /\n/, $out->{script} // '';

# ---- a listener that hangs -----------------------------------------------------------------------------------------

spew($_, $file{$_}) for keys %file;
my @dumped = map { Guest::hex_bytes($_) } dumped("$dir/notes.json --loops 4");
sub strikes { return grep { /^9. .. (?!00)/ } @_ }
my @got = Guest::messages($out, 'hung');
my @strikes = strikes(@got);
my @want = (strikes(@dumped))[ 0 .. $#strikes ];
cmp_ok(scalar @strikes, '>', 600, 'a listener hangs, and the music goes on: ' . @strikes . ' strikes in 20 s');
is(join(', ', @strikes), join(', ', @want), 'the others hear every strike once, in order');
is(Guest::hanging(@got), '', 'and each ends');
my ($midi) = grep { $_->{name} eq 'midi' } @{ decode_json($out->{stats} || '{}')->{destinations} || [] };
cmp_ok($midi->{send_full} // 0, '>', 100, 'what the one that hangs does not take is counted') or diag $out->{stats};
my %ended = map { $_ => 1 } ($out->{heard} // '') =~ /Note off\s+(\d+, note \d+)/g;
is(join('; ', sort keys %ended), join('; ', map({ "0, note $_" } 60 .. 64), map { "1, note $_" } 40, 41), 'when it is back, it hears that all notes have ended');

# ---- cables --------------------------------------------------------------------------------------------------------

my @destination = grep { /^destination midi/ } @said;
like($destination[0], qr/is connected to .*VirMIDI 0-0/, 'a connection that is cut by hand is made again');
like($destination[1], qr/is connected to no port/, 'without a port in the configuration it is cut for good');

# ---- somebody who watches ------------------------------------------------------------------------------------------

my @monitor = split /\n/, $out->{monitor} // '';
is($monitor[0], 'midi out midi: system exclusive, 12 bytes: f0 7d 01 02 03 04 05 06 …', 'what goes out is shown from the first line on');
is($monitor[1], 'midi out midi: system exclusive, 1025 bytes: f0 7d 01 02 03 04 05 06 …', 'a long message by its length and beginning');
is($monitor[2], 'midi out midi: system exclusive, 20000 bytes: f0 7d 01 02 03 04 05 06 …', 'a very long one, too');
is($monitor[3], 'midi out midi: note 61 on 100, channel 0', 'and what comes after it');
is($out->{learn} =~ s/\s+//gr, '', 'learning is silent until something is moved');

# ---- gear whose clock stops with its music --------------------------------------------------------------------------

is(decode_json($out->{quiet} || '{}')->{sync_losses}, 0, 'a clock that is silent while stopped is not lost');
is(decode_json($out->{lost} || '{}')->{sync_losses}, 1, 'one that falls silent while it plays is');
is(scalar(() = $out->{'clock.log'} =~ /clock from .* lost/g), 1, 'which is said once');
my @status = grep { /^(playing|stopped)/ } @said;
is(join(' ', map { /^(\w+)/ } @status), 'stopped stopped playing', 'it stops with its gear, and plays on alone');
ok(!grep({ /says the tempo/ } @said), 'while it is silent, the tempo may be changed by hand');

diag $out->{script} unless Test::More->builder->is_passing;
done_testing();
