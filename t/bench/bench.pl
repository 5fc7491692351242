#!/usr/bin/perl
# What oiduna costs: side by side with scsynth where that can be had, by itself where not. `./build.sh bench` builds
# what this runs, and runs it.
#
# A voice is measured at two numbers of voices; the difference, over voices and seconds of sound, is what one costs:
# starting, reading patches and writing the file are not in it. Both programs are run in turns, several rounds of it, so
# that what else the machine does meets both; the figures are medians.
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use Getopt::Long;
use lib $FindBin::Bin;
use SynthDef;

my ($rounds, $seconds, $json) = (7, 10);
GetOptions('rounds=i' => \$rounds, 'seconds=i' => \$seconds, 'json' => \$json) && !@ARGV && $rounds > 0 && $seconds > 1
    or die "usage: ./build.sh bench [--rounds N] [--seconds S] [--json]\n";

my ($few, $many) = (8, 128);
my $oiduna = $ENV{OIDUNA} // 'build/oiduna';
my $programs = $ENV{OIDUNA_BENCH} // 'build/bench';
my $tmp = tempdir(CLEANUP => 1);
$ENV{XDG_CONFIG_HOME} = $tmp;
my ($scsynth) = grep { -x } map {"$_/scsynth"} split /:/, $ENV{PATH};
my %result;

sub spew
{
    my ($name, $bytes) = @_;
    open my $f, '>:raw', "$tmp/$name" or die "$tmp/$name: $!\n";
    print $f $bytes;
    close $f or die "$tmp/$name: $!\n";
    return "$tmp/$name";
}

# Runs a command: its user and system time and its length in seconds, the most memory it held in MiB.
sub measure
{
    my (@command) = @_;
    my $log = "$tmp/log";
    my $out = qx("$programs/measure" @command 2>"$log");
    my @figures = split ' ', $out;
    die "@command: failed\n", (-s $log ? qx(tail -n 5 "$log") : '') if $? || @figures != 4;
    my %m;
    @m{qw(user system length)} = map { $_ / 1e6 } @figures[0 .. 2];
    $m{memory} = $figures[3] / 1024;
    return \%m;
}

sub median
{
    my @sorted = sort { $a <=> $b } @_;
    return $sorted[$#sorted / 2];
}

sub summary
{
    my (@values) = @_;
    my @sorted = sort { $a <=> $b } @values;
    return { median => median(@values), least => $sorted[0], most => $sorted[-1] };
}

# ---- scsynth -----------------------------------------------------------------------------------------------------
# The same patch as in rack_voices.c: Saw, a filter whose cutoff an envelope moves from 16 times 400 Hz down to 1.7 times
# over 30 s, an envelope on a VCA, both sides of the output. Its envelopes run at control rate, once in 64 frames, which is
# the cheapest way there; the rack's run at every frame. MoogFF and RLPF are as resonant as ladder and state there.
sub definition
{
    my ($patch) = @_;
    my $d = SynthDef->new($patch, freq => 220, cutoff => 400);
    my $rate = SynthDef::CONTROL;
    my $octaves = $d->binary($rate, $d->adsr($rate, 0.01, 30, 0.2, 0.1), '*', 4);
    my $cutoff = $d->binary($rate, $d->binary($rate, 2, '**', $octaves), '*', $d->control('cutoff'));
    my $saw = $d->ugen('Saw', SynthDef::AUDIO, [$d->control('freq')], 1);
    my $filtered =
        $patch eq 'ladder'
        ? $d->ugen('MoogFF', SynthDef::AUDIO, [$saw, $cutoff, 2, 0], 1)
        : $d->ugen('RLPF', SynthDef::AUDIO, [$saw, $cutoff, 0.5], 1);
    my $amplified = $d->binary(SynthDef::AUDIO, $filtered, '*', $d->adsr($rate, 0.01, 0.3, 0.7, 0.1));
    my $quiet = $d->binary(SynthDef::AUDIO, $amplified, '*', 0.01);
    $d->ugen('Out', SynthDef::AUDIO, [0, $quiet, $quiet], 0);
    return $d->bytes;
}

# All voices begin at once, with the notes that rack_voices.c gives them, and are held.
sub score
{
    my ($patch, $voices) = @_;
    my $score = SynthDef::at(0, SynthDef::message('/d_recv', b => definition($patch)));
    for my $i (0 .. $voices - 1) {
        my $freq = 440 * 2**((36 + $i % 48 - 69) / 12);
        my @note = (s => $patch, i => 1000 + $i, i => 0, i => 0, s => 'freq', f => $freq, s => 'cutoff', f => 400);
        $score .= SynthDef::at(0, SynthDef::message('/s_new', @note));
    }
    return spew("$patch$voices.osc", $score . SynthDef::at($seconds, SynthDef::message('/c_set', i => 0, f => 0)));
}

sub run_scsynth
{
    my ($patch, $voices) = @_;
    return measure($scsynth, '-N', score($patch, $voices), qw(_), "$tmp/sc.wav", qw(48000 WAV float -o 2 -z 64));
}

# Silence would be cheap: the file must hold as many seconds as were asked for, and sound to its end.
sub scsynth_sounds
{
    my ($patch) = @_;
    run_scsynth($patch, $few);
    open my $f, '<:raw', "$tmp/sc.wav" or return 0;
    my $bytes = -s $f;
    return 0 if $bytes < ($seconds - 0.1) * 48000 * 8;
    seek $f, $bytes - 48000, 0;
    read $f, my $samples, 40000;
    return !!grep { abs > 1e-4 } unpack 'f<*', $samples;
}

# ---- voices ------------------------------------------------------------------------------------------------------
sub run_rack
{
    my ($patch, $voices) = @_;
    return measure("$programs/rack_voices", $patch, $voices, $seconds);
}

sub cost
{
    my ($run, $patch) = @_;
    my ($more, $less) = ($run->($patch, $many), $run->($patch, $few));
    return ($more->{user} - $less->{user}) / ($many - $few) / $seconds * 1000, $more->{memory};
}

sub compare_voices
{
    my ($patch) = @_;
    my (@ours, @theirs, @ratios, %memory);
    my $both = $scsynth && scsynth_sounds($patch);
    warn "bench: scsynth did not play $patch; it is left out\n" if $scsynth && !$both;
    for my $round (1 .. $rounds) {
        print STDERR "\r$patch: round $round of $rounds " if -t STDERR;
        (my $ours, $memory{ours}) = cost(\&run_rack, $patch);
        push @ours, $ours;
        next unless $both;
        (my $theirs, $memory{theirs}) = cost(\&run_scsynth, $patch);
        push @theirs, $theirs;
        push @ratios, $theirs / $ours;
    }
    print STDERR "\r\e[K" if -t STDERR;
    $result{$patch} = { ours_ms => summary(@ours), memory_mib => \%memory };
    @{ $result{$patch} }{qw(theirs_ms ratio)} = (summary(@theirs), summary(@ratios)) if $both;
}

# ---- the rest ----------------------------------------------------------------------------------------------------
sub repeated
{
    my ($f) = @_;
    return median(map { $f->() } 1 .. 3);
}

# milliseconds of CPU for a second of sound
sub orbits
{
    my ($n, $length) = @_;
    return repeated(sub {
        my $busy = measure("$programs/rack_voices", 'orbits', $n, $length);
        my $none = measure("$programs/rack_voices", 'orbits', 0, 1);
        return ($busy->{user} - $none->{user}) / $length * 1000;
    });
}

sub render
{
    my $out = "$tmp/demo.wav";
    my @command = ($oiduna, 'render', 'conf/demo.json', '-o', $out, qw(--loops 4 --option rack.patches=conf/rack));
    my $m;
    my $cpu = repeated(sub { $m = measure(@command); return $m->{user} + $m->{system} });
    my $sound = (-s $out) / 8 / 48000;
    $result{render} = { sound_s => $sound, cpu_s => $cpu, real_time => $sound / $cpu, memory_mib => $m->{memory} };
}

sub session
{
    my (@arguments) = @_;
    my $out = qx("$programs/session" @arguments);
    die "session @arguments: failed\n" if $?;
    my %figures = split ' ', $out;
    return { map { $_ => $figures{$_} + 0 } keys %figures };
}

# 8 tracks of 256 events and 8 signals each: as large as sessions become in earnest
sub large_document
{
    my $signal = '[' . join(',', map { sprintf '%.4f', sin $_ / 9 } 0 .. 255) . ']';
    my $signals = join ',', map {qq("$_":{"signal":$signal})} qw(gain pan cutoff resonance speed shape room delay);
    my $events = join ',', map {qq({"step":$_,"velocity":0.5,"note":60,"gate":1.5})} 0 .. 255;
    my $tracks = join ',', map {qq("t$_":{"params":{"s":"bd"},"modulations":{$signals}})} 1 .. 8;
    return qq({"tracks":{$tracks},"sequences":{) . join(',', map {qq("t$_":{"events":[$events]})} 1 .. 8) . '}}';
}

sub dense_document
{
    my $events = join ',', map {qq({"step":$_,"velocity":0.5,"note":60,"gate":1.5})} 0 .. 255;
    return '{"tracks":{' . join(',', map {qq("t$_":{"params":{"s":"bd"}})} 1 .. 64) . '},"sequences":{'
        . join(',', map {qq("t$_":{"events":[$events]})} 1 .. 64) . '}}';
}

sub sessions
{
    my ($large, $dense) = (spew('large.json', large_document()), spew('dense.json', dense_document()));
    $result{decode} = session('decode', $large);
    $result{emit} = session('emit', $dense, 256);
    my $dump = repeated(sub { my $m = measure($oiduna, 'dump', $dense); return $m->{user} + $m->{system} });
    $result{dump} = { events => 64 * 256, ms => $dump * 1000 };
}

# ---- printing ----------------------------------------------------------------------------------------------------
sub row
{
    printf "%-44s %14s %14s   %s\n", map { $_ // '' } @_[0 .. 3];
}

sub voice_row
{
    my ($patch, $what) = @_;
    my $r = $result{$patch};
    my $ratio = $r->{ratio}
        && sprintf '%.1f x as many (%.1f … %.1f)', @{ $r->{ratio} }{qw(median least most)};
    row($what, sprintf('%.3f ms', $r->{ours_ms}{median}), $r->{theirs_ms} && sprintf('%.3f ms', $r->{theirs_ms}{median}),
        $ratio);
}

sub print_table
{
    my ($model) = map { /^model name\s*:\s*(.*\S)/ ? $1 : () } do { open my $f, '<', '/proc/cpuinfo' or (); <$f> };
    printf "%s, %d round%s in turns, medians (least … most); 48 kHz, blocks of 64 frames\n\n", $model // 'this machine',
        $rounds, $rounds == 1 ? '' : 's';
    row('', 'oiduna', $scsynth ? 'scsynth -N' : '', $scsynth ? 'voices on a core' : '');
    voice_row('ladder', 'saw, ladder, 2 envelopes: CPU / voice / s');
    voice_row('state', 'saw, state variable, 2 envelopes');
    my $memory = $result{ladder}{memory_mib};
    row("peak memory of $many voices", sprintf('%.0f MiB', $memory->{ours}),
        $memory->{theirs} && sprintf('%.0f MiB', $memory->{theirs}));
    print "\n";
    row('orbits with echo and reverb: CPU / s', sprintf('%.1f ms', $result{orbits}{1}), '', 'one');
    row('', sprintf('%.1f ms', $result{orbits}{8}), '', 'eight');
    row('a silent rack', sprintf('%.2f ms', $result{orbits}{0}));
    row('the demo, rendered', sprintf('%.0f x', $result{render}{real_time}), '',
        sprintf('as fast as it plays: %.1f s in %.2f s of CPU, %.0f MiB', @{ $result{render} }{qw(sound_s cpu_s memory_mib)}));
    print "\n";
    my $d = $result{decode};
    row(sprintf('decoding %.0f KB', $d->{bytes} / 1000), sprintf('%.2f ms', $d->{decode} / 1000), '',
        sprintf('bare json-c %.2f ms, so %.2f times that', $d->{bare} / 1000, $d->{decode} / $d->{bare}));
    row('merging and compiling it', sprintf('%.2f ms', $d->{compile} / 1000));
    row('an event, from step to finished message', sprintf('%.0f ns', $result{emit}{event}));
    row('dump of 64 tracks of 256 steps', sprintf('%.0f ms', $result{dump}{ms}), '',
        sprintf('%.1f million events a second', $result{dump}{events} / $result{dump}{ms} / 1000));
}

compare_voices($_) for qw(ladder state);
$result{orbits} = { 0 => orbits(0, 300), 1 => orbits(1, 20), 8 => orbits(8, 20) };
render();
sessions();
if ($json) {
    require JSON::PP;
    print JSON::PP->new->canonical->pretty->encode(\%result);
} else {
    print_table();
}
