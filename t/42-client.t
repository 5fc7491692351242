#!/usr/bin/perl
# The subcommands that talk to a daemon: send, ctl and stats, through the control socket and over UDP, with their exit codes.
use strict;
use warnings;
use FindBin;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use lib "$FindBin::Bin/lib";
use Live;
use Program qw(end oiduna run_with_input start);
use Scratch;
use Test::More;
use Time::HiRes qw(time sleep);
use TimeLimit;
use Wait;

my $oiduna = oiduna();

my $d = Live->start('-o', 'engine.drop_after_ms=60000', '-o', 'limits.session_bytes=2 MiB');
my $tmp = scratch();
sub run { return Program::run($oiduna, @_) }

# ---- without a daemon ------------------------------------------------------------------------------------------------
{
    local $ENV{XDG_RUNTIME_DIR} = "$tmp/nowhere";
    for (['ctl', 'status'], ['stats'], ['send', '-']) {
        my ($code, $out, $err) = run(@$_);
        is $code, 1, "@$_ without a daemon fails";
        like $err, qr/^oiduna: .*oiduna run/s, 'and says how to start one';
    }
}
is +(run('ctl', '--socket', $d->socket, 'ping'))[0], 0, '--socket names the socket';

# ---- ctl -------------------------------------------------------------------------------------------------------------
my ($code, $out, $err) = run('ctl', 'bpm', '128');
is_deeply [ $code, $out, $err ], [ 0, "ok: 128 bpm\n", '' ], 'ctl: the answer in words';
($code, $out, $err) = run('ctl', 'status');
is_deeply [ $code, $out ], [ 0, "stopped at 128 bpm, bar 0, beat 0, step 0\n" ], 'ctl status';
($code, $out, $err) = run('ctl', '--json', 'status');
is decode_json($out)->{bpm}, 128, 'ctl --json: as JSON';
($code, $out, $err) = run('ctl', 'bpm', '5000');
is $code, 1, 'a refusal is exit code 1';
like $err, qr/^oiduna: bpm: tempo must be 1 to 999/, 'with the reason';
($code, $out, $err) = run('ctl', 'mute', 'nobody', 'on');
like $err, qr/^oiduna: mute: unknown track "nobody"/, 'an unknown track';
for ([], ['dance'], ['bpm'], ['bpm', 'fast'], ['start', 'now'], ['mute', 'kick', 'perhaps'], ['--dance', 'status'], ['tracks', 'x']) {
    ($code, $out, $err) = run('ctl', @$_);
    is $code, 2, "ctl @$_: usage";
    ok length $err, 'is told';
}

is +(run('ctl', 'help'))[1], (run('help', 'ctl'))[1], 'ctl help lists the commands';
SKIP: {
    skip 'there is a sequencer here', 4 if -e '/dev/snd/seq';
    ($code, $out, $err) = run('ctl', 'midi', 'ports');
    like $out, qr{^no ALSA sequencer: /dev/snd/seq: No such file or directory; 'modprobe snd-seq' loads it$},
        'ctl midi ports: without a sequencer it says so';
    for my $what (qw(learn monitor)) {
        ($code, $out, $err) = run('ctl', 'midi', $what);
        is "$code $err", "1 oiduna: midi: no ALSA sequencer: /dev/snd/seq: No such file or directory; 'modprobe snd-seq' loads it\n",
            "ctl midi $what: does not wait for what can't come";
    }
    is $d->call('midi/ports')->{missing} =~ /snd-seq/ ? 1 : 0, 1, 'midi/ports says it too';
}

# ---- send ------------------------------------------------------------------------------------------------------------
my %demo = (name => 'demo', apply => { timing => 'bar' }, tracks => { kick => { params => { s => 'bd' } }, hat => { params => { s => 'hh' } } },
    sequences => { kick => { events => [ { step => 0 } ] } });
my $file = spew('demo.json', JSON::PP->new->pretty->encode(\%demo));
($code, $out, $err) = run('send', $file);
is $code, 0, 'send: done';
like $out, qr/\Aaccepted\napplied.* at step 0\b.*\n\z/, 'accepted, then applied';
is $d->call('status')->{session}, 'demo', 'it plays';
($code, $out) = run_with_input('{"name":"from stdin"}', $oiduna, 'send', '-');
is $d->call('status')->{session}, 'from stdin', 'send -: standard input';
SKIP: {
    skip 'there is a sequencer here', 2 if -e '/dev/snd/seq';
    my $warning = qr/^oiduna: warning: no ALSA sequencer: .*; until then MIDI messages are counted but not sent$/m;
    unlike $d->log, $warning, 'a daemon does not warn of a missing sequencer while nothing goes there';
    run('send', spew('midi.json', '{"tracks_midi":{"m":{"channel":0}},"sequences":{"m":{"events":[{"step":0,"note":60}]}}}'));
    ok eventually(sub { $d->log =~ $warning }), 'it does when a session is sent that plays MIDI';
}
($code, $out, $err) = run('send', spew('wrong.json', '{"tracks":{"k":{"params":{"s":5}}}}'));
is_deeply [ $code, $out ], [ 1, '' ], 'a wrong document is refused';
like $err, qr/^oiduna: \S+wrong\.json: tracks\.k\.params\.s: /, 'with its path';
($code, $out, $err) = run('send', spew('cut.json', qq({\n"name":"x",\n})));
like $err, qr/^oiduna: \S+cut\.json:3:1: /, 'what is no JSON: with line and column';
($code, $out, $err) = run('send', spew('big.json', '{"environment":{"loop_steps":99999999999999999999}}'), '--at', 'now');
is $code, 1, 'a number too large stays one when the document is changed on its way';
like $err, qr/environment\.loop_steps/, 'with its path';
($code, $out, $err) = run('send', spew('warn.json', '{"dance":1}'));
is $code, 0, 'warnings are no errors';
like $err, qr/^oiduna: \S+warn\.json: warning: dance: /, 'but told';
($code, $out, $err) = run('send', spew('large.json', '{"name":"' . ('x' x (2 << 20)) . '"}'));
is $code, 1, 'a document above limits.session_bytes is refused';
($code, $out, $err) = run('send', "$tmp/none.json");
is_deeply [ $code, $err ], [ 1, "oiduna: $tmp/none.json: No such file or directory\n" ], 'a file that is not there';
for ([], [ $file, $file ], [ '--at', 'soon', $file ], [ '--to', 'x', '--socket', 'y', $file ], [ '--watch', '-' ]) {
    is +(run('send', @$_))[0], 2, "send @$_: usage";
}

# --at and --tracks stand for what the document says
run('send', $file);
$d->call(bpm => [60]);
$d->call('start');
$d->until_stats(sub { $_[0]{step} > 0 });
my $slow = spew('slow.json', encode_json({ %demo, name => 'slow', apply => { timing => 'seq' } }));
($code, $out) = run('send', '--at', 'now', $slow);
is $code, 0, '--at: does not wait for what the document says';
is $d->call('status')->{session}, 'slow', 'but applies now';
my $part = spew('part.json', encode_json({ %demo, tracks => { hat => { params => { s => 'hh' } }, other => { params => { s => 'x' } } },
    sequences => { hat => { events => [ { step => 1 }, { step => 2 } ] } }, apply => { timing => 'seq', exclusive => JSON::PP::false } }));
($code, $out, $err) = run('send', '--tracks', 'hat', '--at', 'beat', $part);
is $code, 0, '--tracks: done' or diag $err;
my %events = map { $_->{id} => $_->{events} } @{ $d->call('tracks')->{tracks} };
is_deeply \%events, { kick => 1, hat => 2 }, 'only the tracks named are taken, and what else `apply` says stays';
$d->call('stop');

SKIP: {
    skip 'there is no script(1) to make a terminal', 2 if system('script -qc true /dev/null >/dev/null 2>&1 </dev/null');
    my $screen = `script -qc 'stty rows 12 cols 100; exec timeout @{[3 * slowness]} $oiduna stats --watch' /dev/null </dev/null`;
    my ($picture) = $screen =~ /\e\[H(.*?)\e\[J/s;
    like $picture // '', qr/^oiduna \S+ +stopped/, 'stats --watch: begins with the transport';
    is scalar(() = ($picture // '') =~ /\n/g), 11, 'and leaves out what a small window has no room for';
}

# ---- send --watch ----------------------------------------------------------------------------------------------------
my $watched = spew('watched.json', encode_json({ %demo, name => 'first' }));
sub watch { return start({ out => "$tmp/watch.out", err => "$tmp/watch.err" }, $oiduna, 'send', '--watch', $_[0]) }
my $pid = watch($watched);
sub plays { my ($name) = @_; return $d->until_stats(sub { $_[0]{session} eq $name }) }
ok plays('first'), '--watch: submits at once';
spew('watched.json', encode_json({ %demo, name => 'saved' }));
ok plays('saved'), 'and again when the file is written';
spew('watched.json', '{"name":');
ok eventually(sub { slurp_if_there("$tmp/watch.err") =~ /watched\.json:1:9: / }), "what is wrong is told";
rename spew('new.json', encode_json({ %demo, name => 'renamed' })), $watched or die;
ok plays('renamed'), 'and does not end it: a new file in the place of the old is submitted, as editors save';
ok eventually(sub { (() = slurp_if_there("$tmp/watch.out") =~ /applied/g) == 3 }), 'the receipts are printed' or diag slurp_if_there("$tmp/watch.out");
end($pid, 'INT');

mkdir "$tmp/elsewhere" or die;
symlink spew('elsewhere/real.json', encode_json({ %demo, name => 'linked' })), "$tmp/link.json" or die;
$pid = watch("$tmp/link.json");
ok plays('linked'), 'a symbolic link is followed';
spew('elsewhere/real.json', encode_json({ %demo, name => 'behind the link' }));
ok plays('behind the link'), 'and what it leads to is watched';
end($pid, 'INT');

# ---- send --to -------------------------------------------------------------------------------------------------------
my $to = '127.0.0.1:' . $d->port;
($code, $out, $err) = run('send', '--to', $to, spew('udp.json', encode_json({ %demo, name => 'by UDP' })));
is $code, 0, '--to: by OSC' or diag $err;
like $out, qr/\Aaccepted\napplied.* at step 0\b/, 'with the same receipts';
is $d->call('status')->{session}, 'by UDP', 'it plays';
my @signal = map { 0 + sprintf '%.6f', sin($_ / 9) } 0 .. 255;
my %many = map { ("t$_" => { params => { s => 'bd' }, modulations => { map { $_ => { signal => \@signal } } qw(gain pan cutoff room) } }) } 1 .. 24;
($code, $out, $err) = run('send', '--to', $to, spew('pieces.json', encode_json({ name => 'in pieces', tracks => \%many })));
cmp_ok -s "$tmp/pieces.json", '>', 150000, 'a document that fits no datagram';
is $code, 0, 'is sent in pieces' or diag $err;
is $d->call('status')->{session}, 'in pieces', 'and plays';
{
    # between client and daemon, and loses one piece
    my $near = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die;
    my $far = IO::Socket::INET->new(Proto => 'udp', PeerAddr => '127.0.0.1', PeerPort => $d->port) or die;
    my $lossy = fork // die "fork: $!";
    if (!$lossy) {
        my ($select, $client, $lost) = IO::Select->new($near, $far);
        while (1) {
            for my $socket ($select->can_read) {
                my $from = $socket->recv(my $packet, 65536);
                $client = $from if $socket == $near;
                next if $packet =~ m{^/oiduna/session/chunk} && !$lost++;
                $socket == $near ? $far->send($packet) : $near->send($packet, 0, $client);
            }
        }
    }
    ($code, $out, $err) = run('send', '--to', '127.0.0.1:' . $near->sockport, "$tmp/pieces.json");
    is $code, 0, 'a document of which a piece is lost is sent again' or diag $err;
    like $out, qr/^accepted$/m, 'and accepted';
    kill TERM => $lossy;
    waitpid $lossy, 0;
}
($code, $out, $err) = run('send', '--to', $to, "$tmp/wrong.json");
is $code, 1, 'a refusal is exit code 1';
like $err, qr/tracks\.k\.params\.s: /, 'with its path';

# ---- stats -----------------------------------------------------------------------------------------------------------
($code, $out) = run('stats');
is $code, 0, 'stats: done';
like $out, qr/^oiduna \S+   stopped in pieces at 60 bpm /, 'a table';
my %row = $out =~ /^(\w+) +([\d.]+(?: ms)?)  /mg;
cmp_ok $row{sessions_accepted}, '>', 5, 'with the counters';
is scalar(grep { length > 100 } split /\n/, $out), 0, 'of at most 100 columns';
($code, $out) = run('stats', '--json');
cmp_ok decode_json($out)->{sessions_accepted}, '>', 5, 'stats --json';
($code, $out) = run('stats', '--openmetrics');
like $out, qr/^oiduna_sessions_accepted_total [1-9].*# EOF\n\z/ms, 'stats --openmetrics';
is +(run('stats', '--dance'))[0], 2, 'stats: an unknown option';
is +(run('stats', '--json', '--openmetrics'))[0], 2, 'stats: two forms at once';
is +(run('stats', 'x'))[0], 2, 'stats: a word too many';

# ---- the end ---------------------------------------------------------------------------------------------------------
($code, $out) = run('ctl', 'shutdown');
is_deeply [ $code, $out ], [ 0, "ok\n" ], 'ctl shutdown';
end($d->pid);
is $?, 0, 'ends the daemon';
done_testing();
