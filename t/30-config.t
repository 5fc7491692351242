#!/usr/bin/perl
# The command line and the configuration: where the file is looked for, what is wrong with it, what a running daemon takes
# over when it reads it again, and how a daemon starts and ends.
use strict;
use warnings;
use FindBin;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM SOCK_STREAM);
use lib "$FindBin::Bin/lib";
use Live;
use Program;
use Scratch;
use Test::More;
use Time::HiRes qw(time sleep);
use TimeLimit seconds => 600;
use Wait;

my $oiduna = oiduna();
my $tmp = scratch();
$ENV{XDG_CONFIG_HOME} = "$tmp/config";
$ENV{XDG_RUNTIME_DIR} = "$tmp/run";
mkdir "$tmp/$_" for qw(config config/oiduna run);

# ---- the command line ------------------------------------------------------------------------------------------------
my ($code, $out, $err) = run($oiduna, '--version');
is $code, 0, '--version: done';
like $out, qr/^oiduna \d+\.\d+\.\d+$/, 'and says which';
($code, $out, $err) = run($oiduna);
is $code, 2, 'without a command: usage';
like $err, qr/^usage: oiduna COMMAND/m, 'which is shown';
($code, $out, $err) = run($oiduna, 'dance');
is_deeply [ $code, $err ], [ 2, "oiduna: dance: no such command; `oiduna help` lists them\n" ], 'an unknown command';
for my $command (qw(run send ctl stats check dump help)) {
    ($code, $out) = run($oiduna, $command, '--help');
    is $code, 0, "$command --help: done";
    like $out, qr/^usage: oiduna $command/, "$command --help: shows its usage";
    is +(run($oiduna, 'help', $command))[1], $out, "help $command: the same";
    like +(run($oiduna, 'help'))[1], qr/^  $command /m, "help lists $command";
}
is +(run($oiduna, 'help', 'dance'))[0], 2, 'help for an unknown command';
is +(run($oiduna, 'run', '--dance'))[0], 2, 'run: an unknown option';
is +(run($oiduna, 'run', 'x'))[0], 2, 'run: a word too many';

($code, $out) = run($oiduna, 'help', 'config');
my ($section, @keys) = ('');
for (split /\n/, slurp('conf/oiduna.conf')) {
    $section = $1 =~ s/^destination .*/destination.NAME/r if /^\[(.*)\]/;
    push @keys, "$section.$1" if /^(\w+) =/;
}
cmp_ok scalar(@keys), '>', 20, 'the shipped file has keys';
is join(" ", grep { $out !~ /^  \Q$_\E /m } @keys), "", 'help config lists each of them';
($code, $out) = run($oiduna, 'help', 'stats');
like $out, qr/^  dropped_steps +steps skipped/m, 'help stats lists the counters with their sentences';

# ---- where the file is -----------------------------------------------------------------------------------------------
my $good = spew('good.json', '{"tracks":{"k":{"params":{"s":"bd"},"destination":"studio"}}}');
is +(run($oiduna, 'check', $good))[0], 1, 'without a file: the defaults know no destination studio';
spew('config/oiduna/oiduna.conf', "[destination studio]\ntype = osc\n");
is +(run($oiduna, 'check', $good))[0], 0, '$XDG_CONFIG_HOME/oiduna/oiduna.conf is read';
my $other = spew('other.conf', "[destination stage]\ntype = osc\n");
is +(run($oiduna, 'check', '-c', $other, $good))[0], 1, '-c FILE is read instead';
is +(run($oiduna, 'check', '-o', 'destination.studio.port=9', '-c', $other, $good))[0], 0, '-o overrides what it says';

# ---- what is wrong with it ---------------------------------------------------------------------------------------------
my %wrong = (
    "[engine]\ncpu = x\n"               => ":2: engine.cpu: 'x' is not a number",
    "[engine]\n\nlatency = 5\n"         => ':3: engine.latency: unknown key',
    "[motor]\n"                         => ':1: [motor]: unknown section',
    "[engine]\nnonsense\n"              => ':2: not of the form KEY = VALUE or [SECTION]',
    "[rack]\nrate = 7999\n"             => ':2: rack.rate: 7999 is outside 8000 to 192000',
    "\n[rack\nrate = 8000\n"           => ':2: [rack: closing bracket missing; write [SECTION]',
);
for my $text (sort keys %wrong) {
    my $file = spew('wrong.conf', $text);
    ($code, $out, $err) = run($oiduna, 'run', '-c', $file);
    is_deeply [ $code, $err ], [ 1, "oiduna: $file$wrong{$text}\n" ], "run refuses it: $wrong{$text}";
}
($code, $out, $err) = run($oiduna, 'run', '-c', "$tmp/none.conf");
is_deeply [ $code, $err ], [ 1, "oiduna: $tmp/none.conf: No such file or directory\n" ], 'a file that is not there';
($code, $out, $err) = run($oiduna, 'run', '-o', 'engine.swing=2');
is_deeply [ $code, $err ], [ 1, "oiduna: -o engine.swing: 2 is outside 0 to 1\n" ], 'a bad value of -o';
($code, $out, $err) = run($oiduna, 'run', '-o', 'osc.listen=0.0.0.0:0');
is $code, 1, 'listening to the network needs osc.allow';
like $err, qr/^oiduna: osc\.allow: required/, 'which the error names';

# ---- a daemon reads it again -------------------------------------------------------------------------------------------
my $elsewhere = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1', LocalPort => 0) or die "socket: $!";
my $file = spew('live.conf', "[engine]\nswing = 0.25\n");
my $d = Live->start('-c', $file, '-o', 'engine.lookahead_ms=250');
my $values = $d->call('config')->{values};
is $values->{'engine.swing'}, '0.25', 'config: what the file says';
is $values->{'engine.lookahead_ms'}, '250', 'what -o says';
is $values->{'engine.priority'}, '70', 'and the defaults';
is $d->call('config')->{file}, $file, 'and which file it was';
like $d->log, qr/^oiduna: ready: UDP 127\.0\.0\.1 port @{[$d->port]}, control socket \S+oiduna\/control, engine thread SCHED_/m,
    'one line says what is ready and where';

my $session = '{"apply":{"timing":"now"},"tracks":{"k":{"params":{"s":"bd"}}},"sequences":{"k":{"length":4,"events":[{"step":0}]}}}';
$d->osc('/oiduna/session', s => $session);
$d->osc('/oiduna/start');
ok $d->heard, 'it plays';
spew('live.conf', "[engine]\nswing = 0.5\npriority = 60\n[limits]\nsession_bytes = 4 KiB\n");
kill HUP => $d->pid;
ok eventually(sub { $d->call('config')->{values}{'engine.swing'} eq '0.5' }), 'SIGHUP: what is live changes';
is $d->call('config')->{values}{'engine.priority'}, '70', 'what is not stays';
like $d->log, qr/^oiduna: configuration reloaded: engine\.swing, limits\.session_bytes in force; needs a restart: engine\.priority$/m,
    'and both are told';
my $answer = $d->request('session', { name => 'x' x 50, scale => 'y' x 4500, tracks => {} });
like $answer->{error}{message} // '', qr/4096/, 'a document above the new limit is refused with the limit';
spew('live.conf', "[engine]\nswing = 7\n");
kill HUP => $d->pid;
ok eventually(sub { $d->log =~ /live\.conf:2: engine\.swing: 7 is outside 0 to 1; the configuration stays as it was/ }), 'a bad file is told';
is $d->call('config')->{values}{'engine.swing'}, '0.5', 'and changes nothing';
is $d->call('status')->{state}, 'playing', 'the music went on';
is $d->stop, 0, 'the daemon ends';
ok !-e $d->socket, 'and takes its socket with it';

# each of the engine's limits, and who may send
sub reload
{
    my ($daemon, $name, $text) = @_;
    my $said = () = $daemon->log =~ /configuration reloaded|the configuration stays as it was/g;
    spew($name, $text);
    kill HUP => $daemon->pid;
    return eventually(sub { $said < (() = $daemon->log =~ /configuration reloaded|the configuration stays as it was/g) });
}

$file = spew('limits.conf', "[engine]\nlookahead_ms = 250\n");
$d = Live->start('-c', $file);
$d->osc('/oiduna/session', s => $session);
$d->osc('/oiduna/start');
ok $d->heard, 'it plays with a look-ahead of 250 ms';
reload($d, 'limits.conf', "[engine]\nlookahead_ms = 3000\ndrop_after_ms = 60000\n");
ok eventually(sub { my ($ns) = $d->heard; $ns / 1e9 - time > 1 }), 'engine.lookahead_ms = 3000: the music leaves earlier';
is $d->call('stats')->{lookahead_ms}, 3000, 'and the statistics say so';
reload($d, 'limits.conf', "[engine]\nlookahead_ms = 100\ndrop_after_ms = 60000\n");
sub stumble { kill STOP => $d->pid; sleep 0.5; kill CONT => $d->pid; }
sub count_of { my ($name) = @_; return $d->call('stats')->{$name} }
# What was sent ahead has to sound before a step can be late again.
ok eventually(sub { stumble(); count_of('late_steps') > 0 }), 'engine.lookahead_ms = 100: a pause makes steps late';
is count_of('dropped_steps'), 0, 'engine.drop_after_ms = 60000: none is dropped';
reload($d, 'limits.conf', "[engine]\ndrop_after_ms = 0\n");
ok eventually(sub { stumble(); count_of('dropped_steps') > 0 }), 'engine.drop_after_ms = 0: late ones are';
reload($d, 'limits.conf', "[engine]\nslow_tick_ms = 0.001\n");
ok eventually(sub { count_of('slow_ticks') > 0 }), 'engine.slow_tick_ms = 0.001: every tick is slow';

sub pings { $d->osc('/oiduna/ping'); return defined $d->answer(quiet) }
ok eventually(\&pings), 'whoever reaches the port is answered';
reload($d, 'limits.conf', "[osc]\nallow = 10.99.99.99\n");
1 while defined $d->answer(quiet);
my $refused = count_of('datagrams_refused');
$d->osc('/oiduna/ping');
ok eventually(sub { count_of('datagrams_refused') > $refused }), 'osc.allow = 10.99.99.99: we are refused';
reload($d, 'limits.conf', "[osc]\nallow = 10.99.99.99, 127.0.0.0/8\n");
ok eventually(\&pings), 'osc.allow with us in it: answered again';

# routing
reload($d, 'limits.conf', "[routing]\ntracks_destination = rack\n");
like $d->log, qr/reloaded: .*routing\.tracks_destination/, 'routing.tracks_destination is taken over';
$d->request('session', { apply => { timing => 'now' }, tracks => { k => { params => { s => 'bd' } } },
    sequences => { k => { length => 4, events => [ { step => 0 } ] } } });
ok eventually(sub { count_of('rack_events') > 0 }), 'tracks that come then are for the rack';
reload($d, 'limits.conf', "[engine]\nswing = 1\n[destination stage]\ntype = osc\n[routing]\ntracks_destination = stage\n");
like $d->log, qr/without a restart: routing\.tracks_destination: unknown destination 'stage'; configured are superdirt, midi, rack; the configuration stays as it was/,
    'what needs a destination that needs a restart is refused, and with it the rest';
is $d->call('config')->{values}{'engine.swing'}, '0', 'which stays as it was';
is $d->stop, 0, 'the daemon ends';

# what can never be in time
$d = Live->start('-c', spew('early.conf', "[destination superdirt]\nlatency_ms = -100.5\n"), '-o', 'engine.lookahead_ms=100');
my $late = 'all its events leave late.*engine\.lookahead_ms = 100 ';
like $d->log, qr/warning: destination\.superdirt\.latency_ms = -100\.5: $late/, 'a latency that nothing can be early enough for is told';
reload($d, 'early.conf', "[destination midi]\ntype = midi\nlatency_ms = -200\n");
like $d->log, qr/warning: destination\.midi\.latency_ms = -200: $late/, 'also where the configuration is reloaded';
is $d->stop, 0, 'the daemon ends';

# what a destination is
sub superdirt { my ($name) = @_; return (grep { $_->{name} eq 'superdirt' } @{ count_of('destinations') })[0]{$name} }
$file = spew('dest.conf', "[destination superdirt]\nmin_lead_ms = 0\n");
$d = Live->start('-c', $file, '-o', 'engine.lookahead_ms=1000');
$d->osc('/oiduna/session', s => $session);
$d->osc('/oiduna/start');
my ($tag) = $d->heard;
my $beat = 125_000_000; # ns between two events
is superdirt('short_lead_events'), 0, 'no event has too short a lead';
reload($d, 'dest.conf', "[destination superdirt]\nlatency_ms = 40\nmin_lead_ms = 5000\n");
ok eventually(sub { my ($ns) = $d->heard; abs(($ns - $tag) % $beat - 40_000_000) < 1_000_000 }), 'latency_ms = 40: times shift by 40 ms';
ok eventually(sub { superdirt('short_lead_events') > 0 }), 'min_lead_ms = 5000: every lead is too short';
reload($d, 'dest.conf', "[destination superdirt]\naddress = /other\nsuperdirt = no\n[destination midi]\ntype = midi\nlatency_ms = 5\nchannel = 3\nclock = always\n");
like $d->log, qr/reloaded: destination\.superdirt\.latency_ms, destination\.superdirt\.min_lead_ms, destination\.midi\.latency_ms in force; needs a restart: destination\.superdirt\.address, destination\.superdirt\.superdirt, destination\.midi\.channel, destination\.midi\.clock$/m,
    'which keys of a destination take a restart is told';
is $d->stop, 0, 'the daemon ends';

# a destination that moves
my ($here, $there) = map { $_->sockport } ($elsewhere, IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1', LocalPort => 0));
$file = spew('move.conf', "[destination viz]\ntype = osc\nport = $there\n[session]\nload = " . spew('auto.json',
    $session =~ s/"params"/"destination":"viz","params"/r) . "\n[transport]\nautostart = yes\n");
$d = Live->start('-c', $file);
ok eventually(sub { $d->call('status')->{state} eq 'playing' }), 'session.load and transport.autostart play at the start';
spew('move.conf', slurp($file) =~ s/port = \d+/port = $here/r);
kill HUP => $d->pid;
ok(IO::Select->new($elsewhere)->can_read(patience), 'a destination moves to another port without a restart');
my $away = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.2', LocalPort => $here) or die "socket: $!";
spew('move.conf', slurp($file) =~ s/port = \d+/port = $here\nhost = 127.0.0.2/r);
kill HUP => $d->pid;
ok(IO::Select->new($away)->can_read(patience), 'and to another host');

is $d->stop, 0, 'the daemon ends while it plays';

# ---- --show ------------------------------------------------------------------------------------------------------------
spew('show.json', '{"name":"bars","environment":{"bpm":480,"steps_per_beat":4},"tracks":{"kick":{"params":{"s":"bd"}},"hat":{"params":{"s":"hh"},"meta":{"mute":true}}},'
    . '"sequences":{"kick":{"length":16,"events":[{"step":0},{"step":4},{"step":15}]},"hat":{"length":8,"events":[{"step":2}]}}}');
my $pid = start({ out => "$tmp/bars", err => "$tmp/err" }, $oiduna, 'run', '-o', 'osc.listen=127.0.0.1:0', '-s', "$tmp/show.json", '--play', '--show');
ok eventually(sub { slurp_if_there("$tmp/bars") =~ /^bar   1 /m }), 'run --show prints bar by bar';
like slurp_if_there("$tmp/bars"), qr/^bar   [01]  bars  480 bpm\n  kick           ▪···▪··········▪   3   hat            ··▫·······▫·····   -$/m,
    'which track sounds on which steps, and which does not';
end($pid, 'TERM');

$d = Live->start;
my @beside = Live->start;
# A daemon of another test may have had the CPU and left it just now: then the one beside us has it, and the next is told.
push @beside, Live->start if $beside[0]->log !~ /warning: another oiduna/;
my $beside = $beside[-1];
like $beside->log, qr/^oiduna: warning: another oiduna has its engine thread on CPU \d+, too/m, 'a second daemon on the same CPU says so';
$_->stop for @beside;
$ENV{XDG_CONFIG_HOME} = $ENV{XDG_RUNTIME_DIR} = $d->dir;

# ---- one daemon at a time ----------------------------------------------------------------------------------------------
my @same = ($oiduna, 'run', '-o', 'osc.listen=127.0.0.1:0', '-o', 'control.socket=' . $d->socket);
($code, $out, $err) = run(@same);
is $code, 1, 'a second daemon on the same control socket is refused';
like $err, qr/^oiduna: \S+control: another oiduna is running/m, 'and told why';
is $d->call('ping')->{version}, (run($oiduna, '--version'))[1] =~ s/^oiduna (\S+)\n$/$1/r, 'the first is well';
end($d->pid, 'KILL');
ok -S $d->socket, 'a daemon that was killed leaves its socket';
$pid = start({ err => "$tmp/err" }, @same);
ok eventually(sub { IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $d->socket) }), 'the next one replaces it';
is end($pid, 'INT'), 0, 'SIGINT ends a daemon with exit code 0';

# ---- under systemd -----------------------------------------------------------------------------------------------------
my $systemd = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$tmp/notify") or die "socket: $!";
sub told
{
    my ($what) = @_;
    my $patience = time + patience;
    while (IO::Select->new($systemd)->can_read($patience - time)) {
        $systemd->recv(my $text, 4096);
        return 1 if $text =~ /^\Q$what\E$/m;
    }
    return 0;
}
delete $ENV{WATCHDOG_PID};
$pid = start({ err => "$tmp/err", env => { NOTIFY_SOCKET => "$tmp/notify", WATCHDOG_USEC => 900000 } }, @same);
ok told('READY=1'), 'the daemon tells systemd that it is ready';
ok told('WATCHDOG=1') && told('WATCHDOG=1'), 'feeds its watchdog';
kill TERM => $pid;
ok told('STOPPING=1'), 'and tells when it ends';
end($pid);

($code, $out, $err) = run($oiduna, 'run', '-o', 'osc.listen=127.0.0.1:0', '-s', "$tmp/none.json");
is $code, 1, 'a session that is not there ends the start';
like $err, qr/^oiduna: \Q$tmp\E\/none\.json: No such file or directory$/m, 'and is named';
ok !-e "$tmp/run/oiduna/control", 'and leaves no socket';
spew('none.txt', '');
($code, $out, $err) = run($oiduna, 'run', '-o', 'osc.listen=127.0.0.1:0', '-o', "control.socket=$tmp/none.txt");
is $code, 1, 'a file in the place of the socket is not taken away';
ok -e "$tmp/none.txt", 'it is still there';
($code, $out, $err) = run($oiduna, 'run', '-o', 'osc.listen=127.0.0.1:0', '-o', "control.socket=$tmp/no/such/control");
is $code, 1, 'a socket without a place ends the start';
like $err, qr/^oiduna: \Q$tmp\E\/no\/such: No such file or directory; set XDG_RUNTIME_DIR to a directory of your own.*, or set control\.socket/m,
    'and what to do is told';
SKIP: {
    skip 'needs root, to be somebody else', 2 if $>;
    mkdir "$tmp/theirs", 0700;
    my $as_nobody = sub {
        my (@command) = @_;
        return run('/bin/sh', '-c', 'exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"', 'sh', @command);
    };
    chmod 0755, $tmp;
    $ENV{XDG_CONFIG_HOME} = "$tmp/config";
    skip 'nobody may not run it', 2 if ($as_nobody->($oiduna, '--version'))[0];
    ($code, $out, $err) = $as_nobody->($oiduna, 'run', '-o', 'osc.listen=127.0.0.1:0', '-o', "control.socket=$tmp/theirs/control");
    skip 'nobody may not use io_uring', 2 if $err =~ /io_uring/;
    like $err, qr/^oiduna: \Q$tmp\E\/theirs: Permission denied; set XDG_RUNTIME_DIR/m, 'the same where one may not write';
    mkdir "$tmp/theirs/oiduna";
    $ENV{XDG_RUNTIME_DIR} = "$tmp/theirs";
    ($code, $out, $err) = $as_nobody->($oiduna, 'ctl', 'status');
    is $err, "oiduna: $tmp/theirs/oiduna/control: Permission denied; this daemon belongs to another user, yours is found by XDG_RUNTIME_DIR\n",
        'and a client is told why it may not talk to a daemon';
}
done_testing();
