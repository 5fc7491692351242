#!/usr/bin/perl
# `oiduna render`: a session becomes a file; the same session the same file; mistakes are told with their place.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Program;
use Scratch;
use Test::More;
use TimeLimit;
use Wait;
use Wav;

my $oiduna = oiduna();
my $tmp = scratch();

sub render
{
    my ($arguments) = @_;
    return run("$oiduna render --option rack.patches=conf/rack $arguments");
}

sub peak
{
    my ($samples, $from, $to) = @_;
    my $most = 0;
    for my $x (@$samples[$from .. $to]) {
        $most = abs $x if abs $x > $most;
    }
    return $most;
}

# ---- what is heard -----------------------------------------------------------------------------------------------
# One step is 125 ms, 6000 frames: a rim on step 0, a second later one on the right, then silence.
my $session = spew('two.json', '{"environment":{"bpm":120,"steps_per_beat":4},
    "tracks":{"a":{"params":{"s":"rim"}},"b":{"params":{"s":"rs","pan":1}}},
    "sequences":{"a":{"events":[{"step":0}]},"b":{"events":[{"step":8}]}}}');
my ($status, $out, $err) = render("$session -o $tmp/two.wav --steps 16");
is($status, 0, 'a session is rendered') or diag($err);
like($out, qr{^\Q$tmp\E/two\.wav: 2\.\d\d s, 2 notes, peak -\d+\.\d dB, in \d+\.\d\d s$}, 'and said how long it is and how loud');
is($err, '', 'with nothing to complain of');
my $wav = wav_read("$tmp/two.wav");
is_deeply([@$wav{qw(format channels rate)}], [3, 2, 48000], 'the file is WAV, float, stereo, 48 kHz');
my @left  = map { $wav->{samples}[2 * $_] } 0 .. 60000;
my @right = map { $wav->{samples}[2 * $_ + 1] } 0 .. 60000;
cmp_ok(peak(\@left, 0, 480), '>', 0.02, 'the first note sounds at once');
cmp_ok(peak(\@left, 24000, 47999), '<', 1e-3, 'and is over soon');
my ($first) = grep { abs $right[$_] > 1e-3 } 40000 .. 60000;
ok(defined $first && $first >= 48000 && $first < 48030, 'the second begins after a second') or diag($first // 'never');
cmp_ok(peak(\@left, 48000, 60000), '<', 2e-3, 'and only on the right');

($status, $out, $err) = render("$session -o $tmp/again.wav --steps 16");
ok(slurp("$tmp/two.wav") eq slurp("$tmp/again.wav"), 'the same session gives the same file');
($status) = render("$session -o $tmp/low.wav --steps 16 --rate 22050");
is(wav_read("$tmp/low.wav")->{rate}, 22050, '--rate');
($status) = render("$session -o $tmp/two.flac --steps 16");
is(substr(slurp("$tmp/two.flac"), 0, 4), 'fLaC', 'a name that ends in .flac makes it FLAC');

# ---- stems, scenes, pictures --------------------------------------------------------------------------------------
my $lines = spew('lines.json', '{"environment":{"bpm":240,"steps_per_beat":4},
    "tracks":{"a":{"params":{"s":"bd"}},"b":{"params":{"s":"keys"}}},
    "mixer_lines":{"drums":{"include":["a"],"dynamics":{"limiter":true,"compression_ratio":4,"compression_threshold":0.1}},
                   "rest":{"include":["b"],"fx":{"reverb_room":0.3}}},
    "sequences":{"a":{"events":[{"step":0},{"step":4}]},"b":{"events":[{"step":2,"note":60,"gate":2}]}},
    "scenes":{"empty":{"tracks":{},"sequences":{}}}}');
($status, $out, $err) = render("$lines -o $tmp/lines.wav --steps 8 --stems --plot $tmp/lines.png");
is("$status$err", '0', 'stems and a picture: a line\'s dynamics are no warning, for they are the rack\'s');
my @stem = map { wav_read("$tmp/lines-orbit$_.wav") } 0, 1;
is($out =~ s/^.*\n//r, "$tmp/lines-orbit0.wav: orbit 0\n$tmp/lines-orbit1.wav: orbit 1\n", 'which are named');
ok($stem[0]{samples} && $stem[1]{samples} && !-e "$tmp/lines-orbit2.wav", 'each orbit that sounds has a file');
is(scalar @{$stem[$_]{samples} // []}, scalar @{wav_read("$tmp/lines.wav")->{samples}}, "orbit $_ is as long as the whole") for 0, 1;
is(substr(slurp("$tmp/lines.png"), 0, 8), "\x89PNG\r\n\x1a\n", 'the picture is PNG');
($status, $out) = render("$lines -o $tmp/empty.wav --steps 8 --scene empty");
like($out, qr/, 0 notes,/, '--scene plays a scene');

($status, $out, $err) = render("conf/demo.json -o $tmp/demo.wav --steps 64");
is("$status$err", '0', 'the demo renders, all its sounds are known');
like($out, qr/, [5-9]\d notes, peak -[0-9]\.\d dB/, 'and is loud enough');

# ---- what is wrong -------------------------------------------------------------------------------------------------
my $strange = spew('strange.json', '{"tracks":{"a":{"params":{"s":"hurdygurdy"}}},
    "tracks_midi":{"m":{"channel":1}},
    "sequences":{"a":{"events":[{"step":0},{"step":1}]},"m":{"events":[{"step":0,"note":60}]}}}');
($status, $out, $err) = render("$strange -o $tmp/strange.wav --steps 8");
is($status, 0, 'an unknown sound is no error');
is($err, "oiduna: $strange: warning: the rack has no sound named hurdygurdy; `oiduna help rack` lists them\n"
    . "oiduna: $strange: warning: 1 MIDI note was not rendered; only OSC tracks play in the rack\n", 'but told, once');
# Every word that a track's parameters and effects become: what the manual says that a sound does not hear is told, nothing else.
my $model = slurp('ir/model.h');
my %key = map { $$_[0] => $$_[1] } map { [ /"(\w+)", "(\w+)"/ ] } $model =~ /PARAM\(\w+, X\w?, ("\w+", "\w+"), F\)/g;
cmp_ok(scalar keys %key, '>', 40, 'the effects are found in the table');
my $effects = join ',', '"vowel":"a"', map { "\"$_\":0.5" } sort keys %key;
my $words = spew('words.json', qq({"tracks":{"a":{"params":{"s":"bd"},"track_fx":{$effects}},"b":{"params":{"s":"bd"},"track_fx":{$effects}}},
    "mixer_lines":{"l":{"include":["b"],"fx":{"leslie_rate":2,"leslie_size":1,"reverb_room":0.3,"reverb_dry":0.5,"delay_send":0.2},
    "dynamics":{"limiter":true,"limiter_type":1,"compression_ratio":4,"compression_threshold":0.5}}},
    "sequences":{"a":{"events":[{"step":0,"gate":2},{"step":1}]},"b":{"events":[{"step":0,"note":50}]}}}));
($status, $out, $err) = render("$words -o $tmp/words.wav --steps 8");
is($status, 0, 'effects of all kinds are rendered');
my @told = sort $err =~ /^oiduna: \Q$words\E: warning: the sound bd ignores (\w+)$/mg;
is($err =~ tr/\n//, scalar @told, 'and nothing else is told') or diag($err);
my ($list) = slurp('docs/rack.md') =~ /these are ignored: (.*?)\.\n/s;
is_deeply(\@told, [ sort $list =~ /`(\w+)`/g ], 'but for the words that the manual names, each once');

my $batch = spew('batch.json', '{"messages":[{"destination_id":"rack","step":0,"params":{"s":"bd"}},
    {"destination_id":"rack","step":4,"params":{"s":"lead","note":7,"vowel":"a","track_id":"x"}},
    {"destination_id":"superdirt","step":8,"params":{"s":"sd","squiz":3}}],"bpm":120}');
($status, $out, $err) = render("$batch -o $tmp/batch.wav --steps 16");
like($out, qr/, 3 notes, /, 'a batch sounds like a session');
is($err, "oiduna: $batch: warning: the sound sd ignores squiz\n", 'and is told of the same');

my $bad = spew('bad.json', '{"tracks":{"a":{"params":{}}}}');
($status, $out, $err) = render("$bad -o $tmp/bad.wav");
is($status, 1, 'a session that is wrong is refused');
like($err, qr/^oiduna: \Q$bad\E: tracks\.a\.params\.s: /, 'with its place');
ok(!-e "$tmp/bad.wav", 'and makes no file');
($status, $out, $err) = render("$session -o $tmp/nowhere/x.wav");
is($status, 1, 'a file that cannot be written');
like($err, qr{^oiduna: \Q$tmp\E/nowhere/x\.wav: }, 'is named');
($status, $out, $err) = render("$session -o $tmp/x.wav --plot $tmp/nowhere/x.png");
is("$status$err", "1oiduna: $tmp/nowhere/x.png: No such file or directory\n", 'so is a picture');
ok(!-e "$tmp/x.wav", 'before anything is rendered');
spew('kept.png', 'a picture');
($status, $out, $err) = render("$session -o $tmp/nowhere/x.wav --plot $tmp/kept.png");
ok(slurp("$tmp/kept.png") eq 'a picture', 'and one that is there stays, where nothing is rendered');
is((render($session))[0], 2, 'without -o: usage');
($status, $out, $err) = render("$session -o $tmp/x.mp3");
is("$status$err", "2oiduna: render: $tmp/x.mp3: unknown format; the name must end in .wav or .flac\n",
    'an ending that is neither is refused');

# Interrupted, and ended by an error, in the middle of a long one.
my $pid = start({ err => "$tmp/err" }, $oiduna, 'render', '--option', 'rack.patches=conf/rack', '--loops', '2000', '--stems',
    '-o', "$tmp/long.wav", $lines);
eventually(sub { (-s "$tmp/long-orbit1.wav" // 0) >= 500_000 });
ok(-s "$tmp/long.wav" && -s "$tmp/long-orbit1.wav", 'a long rendering is under way');
is(end($pid, 'INT') & 127, 2, 'Ctrl-C ends it');
is(slurp("$tmp/err"), "oiduna: $tmp/long.wav: interrupted\n", 'which is told');
is_deeply([glob "$tmp/long*"], [], 'and leaves no half file');
($status, $out, $err) = run("ulimit -f 2000; trap '' XFSZ; $oiduna render --option rack.patches=conf/rack --loops 20 -o $tmp/full.wav $session");
is($status, 1, 'a file that cannot grow');
like($err, qr{^oiduna: \Q$tmp\E/full\.wav: \S}, 'is named');
ok(!-e "$tmp/full.wav", 'and not left half written');

# On a terminal of 80 columns the progress stays in its line.
SKIP: {
    skip 'there is no script(1) to make a terminal', 2 if system('script -qc true /dev/null >/dev/null 2>&1 </dev/null');
    my $screen = `script -qc '$oiduna render --option rack.patches=conf/rack $session -o $tmp/screen.wav --steps 64' /dev/null </dev/null`;
    my @shown = $screen =~ /\r(\[[^\r\n]*)/g;
    like($shown[-1] // '', qr/^\[#{32}\] 100 %  \d\.\d s, \d+ times real time $/, 'a terminal is shown how far it is');
    is(scalar(grep { length > 79 } @shown), 0, 'in one line');
}
is((render("$session -o $tmp/x.wav --rate 1"))[0], 2, 'a rate out of range: usage');

# ---- patches and recordings of one's own ---------------------------------------------------------------------------
mkdir "$tmp/patches";
system("cp conf/rack/orbit.rack conf/rack/strip.rack conf/rack/sampler.rack $tmp/patches") == 0 or die;
sub with_patches
{
    my ($name, $text, $more) = @_;
    spew("patches/$name", $text);
    my @result = run("$oiduna render --option rack.patches=$tmp/patches $session -o $tmp/own.wav --steps 8 " . ($more // ''));
    unlink "$tmp/patches/$name";
    return @result;
}
($status, $out, $err) = with_patches('rim.rack', "create osc vco\nset osc freq low\n");
is("$status $err", "1 oiduna: rack: $tmp/patches/rim.rack:2: low: freq must be a number\n", 'a mistake in a patch has its line');
($status, $out, $err) = with_patches('rim.rack', join '', map { "create m$_ vco\n" } 1 .. 10000);
is("$status $err", "1 oiduna: rack: $tmp/patches/rim.rack: too many modules: 10000 (limit 64)\n",
    'a patch of 10 000 modules is refused with both figures');
($status, $out, $err) = with_patches('rim.rack', 'x' x 2_000_000);
is("$status $err", "1 oiduna: rack: $tmp/patches/rim.rack: patch too large (limit 1024 KiB)\n", 'so is a huge one');
# The same by `oiduna check`, which needs nothing but the file.
sub check { my ($name, $text) = @_; my @result = run("$oiduna check " . spew("patches/$name", $text)); unlink "$tmp/patches/$name"; return "$result[0] $result[2]" }
is(check('x.rack', "create osc vco\ninclude strip\nconnect osc.out strip.in\n"), '0 ', '`oiduna check` takes a patch that is right');
is(check('x.rack', "create osc vcx\n") =~ s/; choose one of.*//r, "1 oiduna: $tmp/patches/x.rack:1: vcx: no such kind of module\n", 'an unknown module');
is(check('x.rack', "create osc vco\nset osc frq 1\n") =~ s/; it has.*//r, "1 oiduna: $tmp/patches/x.rack:2: frq: vco has no such parameter\n",
    'an unknown parameter');
is(check('x.rack', "create osc vco\ncreate a vca\nconnect osc.out a.inn\n"), "1 oiduna: $tmp/patches/x.rack:3: a.inn: vca has no such input; it has in mod\n",
    'an unknown socket');
is(check('x.rack', join '', map { "create m$_ vco\n" } 1 .. 10000), "1 oiduna: $tmp/patches/x.rack: too many modules: 10000 (limit 64)\n",
    'and too many modules are told');
is((run("$oiduna check $tmp/nowhere.rack"))[2], "oiduna: $tmp/nowhere.rack: No such file or directory\n", 'so is a file that is not there');
spew('patches/noise.wav', "RIFF\x24\0\0\0WAVEfmt garbage");
($status, $out, $err) = with_patches('rim.rack', "create s sampler\nload s noise.wav\ncreate out out\nconnect s.left out.left\n");
like("$status $err", qr{^1 oiduna: rack: \Q$tmp\E/patches/rim\.rack:2: \Q$tmp\E/patches/noise\.wav: }, 'a corrupt recording is named');

# As `build.sh install` puts them: the patches are found from where the program is, wherever it is called.
mkdir "$tmp/$_" for qw(prefix prefix/bin prefix/share prefix/share/oiduna);
system("cp '$oiduna' $tmp/prefix/bin/ && cp -r conf/rack $tmp/prefix/share/oiduna/") == 0 or die;
($status, $out, $err) = run("cd / && $tmp/prefix/bin/oiduna render $session -o $tmp/installed.wav --steps 16");
is("$status$err", '0', 'an installed program finds its patches');
ok(slurp("$tmp/installed.wav") eq slurp("$tmp/two.wav"), 'and sounds the same');

# A second of a 441 Hz sine, 16 bits, 44.1 kHz.
my $data = pack 's<*', map { 16000 * sin(2 * 3.14159265358979 * 441 * $_ / 44100) } 0 .. 44099;
mkdir "$tmp/samples";
mkdir "$tmp/samples/rim";
spew('samples/rim/a.wav', pack 'a4 V a4 a4 V v v V V v v a4 V a*', 'RIFF', 36 + length $data, 'WAVE', 'fmt ', 16, 1, 1, 44100,
    88200, 2, 16, 'data', length $data, $data);
spew('samples/rim/readme.txt', 'not a recording');
($status, $out, $err) = render("$session -o $tmp/sample.wav --steps 8 --option rack.samples=$tmp/samples");
is("$status$err", '0', 'a folder of recordings is a sound; what is none is passed over') or diag($err);
my $samples = wav_read("$tmp/sample.wav")->{samples};
my $rises = grep { $samples->[2 * $_ - 2] < 0 && $samples->[2 * $_] >= 0 } 1 .. 47000;
ok(abs($rises - 441 * 47 / 48) <= 2, 'and sounds at its pitch, whatever its rate') or diag($rises);

# A header that promises a frame more than the limit, and one that is none.
spew('samples/rim/b.wav', pack 'a4 V a4 a4 V v v V V v v a4 V', 'RIFF', 36 + 2 * 11_520_001, 'WAVE', 'fmt ', 16, 1, 1, 44100,
    88200, 2, 16, 'data', 2 * 11_520_001);
truncate "$tmp/samples/rim/b.wav", 44 + 2 * 11_520_001;
spew('samples/rim/c.WAV', 'RIFF garbage');
($status, $out, $err) = render("$session -o $tmp/sample2.wav --steps 8 --option rack.samples=$tmp/samples");
like("$status$err", qr{^0oiduna:\ warning:\ \Q$tmp\E/samples/rim/b\.wav:\ 11520001\ frames;\ a\ recording\ must\ have\ 1\ to\ 11520000;
    \ skipped\noiduna:\ warning:\ \Q$tmp\E/samples/rim/c\.WAV:\ .*;\ skipped\n\z}x,
    'a recording that is too long or corrupt is named and left out');
ok(slurp("$tmp/sample.wav") eq slurp("$tmp/sample2.wav"), 'and the others sound on');

like((run("$oiduna help rack"))[1], qr/\bladder\b.*\bbd +bass drum\b.*\bkick\b/s, '`oiduna help rack` knows modules and sounds');
done_testing();
