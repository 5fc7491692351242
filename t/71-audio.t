#!/usr/bin/perl
# The rack, live: what a daemon records is what `oiduna render` writes, sample for sample; stop and mute silence it; a
# recording's name stays inside record.dir and overwrites nothing.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Live;
use OSC;
use Program;
use Scratch;
use Test::More;
use Time::HiRes qw(sleep);
use TimeLimit;
use Wav;

my $tmp = scratch();
my $steps = 96;

# The samples of a WAV, 8 bytes a frame.
sub frames { return wav_data(slurp($_[0])) }

sub peak {
    my ($frames) = @_;
    my $peak = 0;
    for (unpack 'f<*', $frames) { $peak = abs $_ if abs $_ > $peak }
    return $peak;
}

my $session = spew('a.json', '{"name":"a","environment":{"bpm":140,"swing":0.3},"tracks":{'
    . '"kick":{"destination":"rack","params":{"s":"bd"}},'
    . '"bass":{"destination":"rack","params":{"s":"acid"},"track_fx":{"cutoff":900,"resonance":0.4}},'
    . '"pad":{"destination":"rack","params":{"s":"pad","orbit":1},"fx":{"room":0.4,"size":0.7}}},"sequences":{'
    . '"kick":{"length":16,"events":[{"step":0},{"step":10,"offset_ms":3.3}]},'
    . '"bass":{"length":16,"events":[{"step":3,"note":36,"gate":2},{"step":7,"note":43,"gate":3,"velocity":0.8}]},'
    . '"pad":{"length":64,"events":[{"step":0,"note":60,"gate":48},{"step":0,"note":67,"gate":48}]}}}');

# A long look-ahead and no dropping, so that a busy machine changes nothing of what is compared.
# One patch of the folder has a mistake, one is huge, one replaces a shipped sound: the others play.
my $patches = "$tmp/patches";
mkdir $patches;
system("cp conf/rack/*.rack $patches") == 0 or die;
spew('patches/wrong.rack', "create osc vcx\n");
spew('patches/huge.rack', join '', map { "create m$_ vco\n" } 1 .. 10000);
my $d = Live->start('-o', "rack.patches=$patches", '-o', 'rack.device=null', '-o', "record.dir=$tmp", '-o', 'engine.lookahead_ms=2000',
    '-o', 'engine.drop_after_ms=60000');
like $d->log, qr/rack\.device is null/, 'without a device the rack says so';
like $d->log, qr{warning: rack: \Q$patches\E/wrong\.rack:1: vcx: no such kind of module; .*; skipped\n}, 'a patch with a mistake is left out';
like $d->log, qr{\Q$patches\E/huge\.rack: too many modules: 10000 \(limit 64\); skipped\n}, 'so is one that is too large';
ok $d->call('session', { file => $session }), 'the daemon takes the session';
my $status = $d->call('record/start', ['live']);
is $status->{file}, "$tmp/live.wav", 'a recording begins';
ok $status->{recording}, 'and says so';
$d->call('start');
my $stats = $d->until_stats(sub { $_[0]{step} >= $steps + 16 });
ok $stats, 'the session is played';
$d->call('record/stop');
$stats = $d->call('stats');
is $stats->{$_}, 0, "$_ is 0" for qw(record_lost rack_late rack_dropped rack_unknown rack_resyncs);

my $text = qx(@{[oiduna]} render $session -o $tmp/render.wav --steps $steps 2>&1);
is $?, 0, 'render writes the same' or diag $text;
my ($live, $render) = (frames("$tmp/live.wav"), frames("$tmp/render.wav"));
my $whole = int($steps * 60 / 140 / 16 * 48000 - 0.05 * 48000) * 8;    # what no later step reaches into
my ($begins) = $live =~ /^((?:\0{8})*)/s ? $+[0] : 0;
my ($silent) = $render =~ /^((?:\0{8})*)/s ? $+[0] : 0;
my $start = $begins - $silent;
ok length($live) - $start >= $whole && length($render) >= $whole, 'both are long enough';
is $start % 512, 0, 'the start lies on the beginning of a block';
cmp_ok peak(substr $render, 0, $whole), '>', 0.05, 'there is something to be heard';
ok substr($live, $start, $whole) eq substr($render, 0, $whole), 'what was recorded equals the rendering, bit for bit';

# ---- silence -------------------------------------------------------------------------------------------------------
# What sounds 0.5 s after the command, for 0.3 s: tails of a short reverb may still be there, no note is.
sub afterwards {
    my ($name, $method, $params) = @_;
    $d->call($method, $params);
    sleep 0.5;
    $d->call('record/start', [$name]);
    sleep 0.3;
    return peak(frames($d->call('record/stop')->{file}));
}
my $dry = spew('dry.json', '{"apply":{"timing":"now"},"tracks":{"a":{"destination":"rack","params":{"s":"lead"}},"b":{"destination":"rack","params":{"s":"bass"}}},'
    . '"sequences":{"a":{"length":4,"events":[{"step":0,"note":60,"gate":64}]},"b":{"length":4,"events":[{"step":1,"note":40,"gate":2}]}}}');
$d->call('stop');
$d->call('session', { file => $dry });
$d->call('start');
$d->until_stats(sub { $_[0]{step} >= 16 });
cmp_ok afterwards('both', 'mute/clear', []), '>', 0.01, 'two tracks sound';
$d->call('mute', [ 'b', JSON::PP::true ]);
cmp_ok afterwards('muted', 'mute', [ 'a', JSON::PP::true ]), '<', 0.001, 'muted they are silent at once, the look-ahead notwithstanding';
$d->call('mute/clear');
$d->until_stats(sub { 0 }, 3);
cmp_ok afterwards('again', 'mute/clear', []), '>', 0.01, 'and sound again';
cmp_ok afterwards('stopped', 'stop', []), '<', 0.001, 'stop silences them';

# ---- announced -----------------------------------------------------------------------------------------------------
# A mute and an unmute by time tags, both within one look-ahead: what sounds is by the tags alone.
sub announce {
    my ($seconds, @message) = @_;
    $d->send_raw(osc_bundle(Time::HiRes::time() + $seconds, osc_message(@message)));
}
# Frames of each silence of at least 100 ms between sounds.
sub gaps {
    my ($frames) = @_;
    my @sample = unpack '(f<x4)*', $frames;
    my ($last, @gaps);
    for my $i (0 .. $#sample) {
        next if abs $sample[$i] < 0.01;
        push @gaps, $i - $last if defined $last && $i - $last >= 4800;
        $last = $i;
    }
    return @gaps;
}
my $pulse = spew('pulse.json', '{"apply":{"timing":"now"},"tracks":{"a":{"destination":"rack","params":{"s":"sine"}}},'
    . '"sequences":{"a":{"length":2,"events":[{"step":0,"note":72,"gate":1.5}]}}}');
$d->call('session', { file => $pulse });
$d->call('start');
announce(4, '/oiduna/mute', s => 'a', i => 1);
announce(4.5, '/oiduna/mute', s => 'a', i => 0);
$d->until_stats(sub { $_[0]{step} >= 8 });
$d->call('record/start', ['announced']);
$d->until_stats(sub { 0 }, 6);
is_deeply [ ($d->answer)[0, 1], ($d->answer)[0, 1] ], [ ('/oiduna/ok', 'mute') x 2 ], 'both are carried out';
my @gaps = gaps(frames($d->call('record/stop')->{file}));
is scalar @gaps, 1, 'an announced mute is one silence' or diag "@gaps";
ok $gaps[0] && $gaps[0] > 0.49 * 48000 && $gaps[0] < 0.59 * 48000, 'and what is due after the announced unmute sounds' or diag "@gaps";
$d->call('mute/clear');
$d->call('stop');

# ---- clicks --------------------------------------------------------------------------------------------------------
# Long quiet sines of 523 Hz, while this and that is done: no step from sample to sample is larger than theirs and a fade's.
my $held = '"apply":{"timing":"now"},"tracks":{"a":{"destination":"rack","params":{"s":"sine","gain":0.7,"pan":0}}},'
    . '"sequences":{"a":{"length":16,"events":[{"step":0,"note":72,"gate":15}]}},'
    . '"scenes":{"none":{"tracks":{}}}';
$d->call('session', { file => spew('held.json', "{$held}") });
$d->call('start');
$d->until_stats(sub { $_[0]{step} >= 8 });
$d->call('record/start', ['clicks']);
for my $deed ([ 'stop' ], [ 'start' ], [ 'mute', [ 'a', JSON::PP::true ] ], [ 'mute/clear' ], [ 'scene', ['none'] ], [ 'pause' ], [ 'continue' ],
    [ 'panic' ], [ 'start' ], [ 'session', { file => spew('other.json', "{$held}" =~ s/72/60/r) } ], [ 'undo', ['now'] ], [ 'stop' ], [ 'start' ]) {
    $d->request(@$deed);
    $d->until_stats(sub { 0 }, 0.7 + rand 0.2);
}
my @sample = unpack '(f<x4)*', frames($d->call('record/stop')->{file});
my ($peak, $steepest) = (0, 0);
for my $i (1 .. $#sample) {
    my ($size, $step) = (abs $sample[$i], abs($sample[$i] - $sample[ $i - 1 ]));
    $peak = $size if $size > $peak;
    $steepest = $step if $step > $steepest;
}
cmp_ok $peak, '>', 0.05, 'sines are recorded';
cmp_ok $steepest, '<', 0.11 * $peak, 'nothing that is done makes them click';
$d->call('mute/clear');
$d->call('stop');

# ---- names ---------------------------------------------------------------------------------------------------------
for my $name ('../x', '/tmp/x', '.hidden', 'a/b', "a\nb", 'x' x 250) {
    ok $d->request('record/start', [$name])->{error}, 'not a name: ' . substr($name =~ s/\n/\\n/r, 0, 20);
}
my $error = $d->request('record/start', ['live'])->{error};
like $error->{message}, qr/live\.wav.*exists/, 'a file that exists is not written to';
ok frames("$tmp/live.wav") eq $live, 'and stays as it is';
ok $d->request('record/stop')->{error}, 'where nothing is recorded, there is nothing to stop';
$d->osc('/oiduna/record/start', s => 'osc.flac', s => 'r1');
is_deeply [ $d->answer ], [ '/oiduna/ok', 'record/start', 'r1' ], 'a recording is started over OSC';
ok $d->request('record/start', ['second'])->{error}, 'one at a time';
$d->osc('/oiduna/record/status', s => 'r2');
my @answer = $d->answer;
is_deeply [ @answer[0 .. 2, 5] ], [ '/oiduna/record/status/reply', 'recording', "$tmp/osc.flac", 'r2' ], 'its status is told'
    or diag "@answer";
for (1 .. 600) { last if $d->call('record/status')->{seconds} > 0; select undef, undef, undef, 0.05; }
$d->osc('/oiduna/record/stop', s => 'r3');
is_deeply [ $d->answer ], [ '/oiduna/ok', 'record/stop', 'r3' ], 'and stopped';
cmp_ok -s "$tmp/osc.flac", '>', 0, 'a FLAC is there';
is $d->stop, 0, 'the daemon ends with exit code 0';
done_testing;
