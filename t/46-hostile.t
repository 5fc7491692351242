#!/usr/bin/perl
# Whatever comes in: random and cut datagrams, documents of every kind of wrong, clients that flood, hang or never read,
# destinations that refuse or have no address. Each gets a clear error or a counter, and the music goes on.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use IO::Socket::UNIX;
use Live;
use OSC;
use Test::More;
use Time::HiRes qw(time sleep);
use TimeLimit;
use Wait;

srand 20;
my $d = Live->start(
    '-o', 'engine.lookahead_ms=500', '-o', 'engine.drop_after_ms=5000',
    '-o', 'destination.refuses.port=1',
    '-o', 'destination.nowhere.host=nowhere.invalid',
);
my $kick = '{"length":16,"events":[{"step":0}]}';
my $session = qq({"name":"plays on","apply":{"timing":"now"},"tracks":{"k":{"params":{"s":"bd"}},)
    . qq("r":{"params":{"s":"bd"},"destination":"refuses"},"n":{"params":{"s":"bd"},"destination":"nowhere"}},)
    . qq("sequences":{"k":$kick,"r":$kick,"n":$kick}});
$d->osc('/oiduna/session', s => $session, s => 'first');
is_deeply [ ($d->answer)[ 0, 2 ] ], [ '/oiduna/ok', 'first' ], 'a session plays';
$d->osc('/oiduna/start');
ok $d->heard, 'it is heard';
while ($d->answer(quiet)) { }

# Is SuperDirt still being played to, from the same session?
sub plays_on {
    my ($why) = @_;
    my $before = $d->call('stats')->{steps};
    my $after = $d->until_stats(sub { $_[0]{steps} > $before + 20 });
    my $status = $d->call('status');
    ok $after && $status->{session} eq 'plays on', "$why: the music goes on";
    return;
}

# ---- datagrams -------------------------------------------------------------------------------------------------------
my $before = $d->call('stats');
my $whole = osc_message('/oiduna/mute', s => 'k', i => 0, s => 'id');
my $bundle = osc_bundle(0, $whole);
for (1 .. 2000) {
    my $kind = int rand 4;
    my $packet = $kind == 0 ? join '', map { chr int rand 256 } 1 .. int rand 200
        : $kind == 1 ? substr $whole, 0, int rand length $whole
        : $kind == 2 ? substr $bundle, 0, int rand length $bundle
        : do { my $p = rand() < 0.5 ? $whole : $bundle; substr($p, int rand length $p, 1) = chr int rand 256; $p };
    $d->send_raw($packet) if length $packet;
    sleep 0.001 if $_ % 50 == 0;
}
$d->osc('/oiduna/mute/clear', s => 'cleared');
while (my @a = $d->answer) { last if defined $a[2] && $a[2] eq 'cleared' }
my $stats = $d->call('stats');
cmp_ok $stats->{datagrams_malformed} - $before->{datagrams_malformed}, '>', 500, 'malformed datagrams are counted';
plays_on('random and cut datagrams');

# Replies of others must not be answered: two daemons would talk for ever.
while ($d->answer(quiet)) { }
$d->osc("/oiduna/$_", s => 'x', s => 'y', s => 'z') for qw(ok error warning applied superseded pong);
ok !$d->answer(2 * quiet), 'answers are never answered';
is $d->call('stats')->{datagrams_reflected} - $stats->{datagrams_reflected}, 6, 'but counted';

# ---- documents -------------------------------------------------------------------------------------------------------
my %wrong = (
    'no JSON'        => '{"tracks":',
    'a wrong type'   => '{"tracks":{"k":{"params":{"s":5}}}}',
    'out of range'   => '{"environment":{"bpm":0}}',
    'no such scene'  => '{"apply":{"scene_name":"none"}}',
    'deep'           => ('[' x 5000) . (']' x 5000),
    'no destination' => '{"tracks":{"k":{"destination":"mars","params":{"s":"bd"}}}}',
);
for my $what (sort keys %wrong) {
    $d->osc('/oiduna/session', s => $wrong{$what}, s => $what);
    my @a = $d->answer;
    ok $a[0] && $a[0] eq '/oiduna/error' && $a[2] eq $what && length $a[3], "$what: refused: " . ($a[3] // 'no answer');
    sleep 0.06;    # errors are answered 20 times a second
}
plays_on('documents of every kind of wrong');

# ---- control clients -------------------------------------------------------------------------------------------------
my @idle = map { IO::Socket::UNIX->new($d->socket) } 1 .. 40;
print {$_} '{"half' for @idle;
$_->flush for @idle;
ok $d->call('ping'), 'half-open clients keep nobody out';
my @more = grep { defined } map { IO::Socket::UNIX->new($d->socket) } 1 .. 60;
ok $d->call('ping'), 'nor do more than the 64 there is room for';
close $_ for @idle, @more;

my $deaf = IO::Socket::UNIX->new($d->socket);
$deaf->blocking(0);
my $closed = 0;
local $SIG{PIPE} = 'IGNORE';
for (1 .. 20000) {
    my $n = syswrite $deaf, "stats\n" x 50;
    next if $n || $!{EAGAIN} && sleep 0.001;
    $closed = 1, last if !$n && !$!{EAGAIN};
}
ok $closed, 'a client that never reads is disconnected';
my $long = IO::Socket::UNIX->new($d->socket);
$long->blocking(0);
my ($written, $refused, $line) = (0, 0, 'x' x 65536);
while ($written < 64 << 20) {
    my $n = syswrite $long, $line;
    if ($n) { $written += $n; next; }
    $refused = 1, last unless $!{EAGAIN};
    $refused = 1, last if IO::Select->new($long)->can_read(0.05);
}
$refused ||= IO::Select->new($long)->can_read(patience);
ok $refused, 'a line without an end is refused';
plays_on('control clients of every kind');

# ---- destinations ----------------------------------------------------------------------------------------------------
my %dest = map { $_->{name} => $_ } @{ $d->call('stats')->{destinations} };
cmp_ok $dest{refuses}{send_errors}, '>', 0, 'a destination that refuses is counted';
cmp_ok $dest{nowhere}{send_errors}, '>', 0, 'so is one without an address';
is $dest{superdirt}{send_errors}, 0, 'the others are well';

# SuperDirt stops reading: its socket buffer fills, datagrams are lost, nothing waits
$d->osc('/oiduna/bpm', f => 999);
sleep 1;
plays_on('a destination that does not read');
is $d->call('stats')->{dropped_steps}, 0, 'no step was dropped in all this';
is $d->stop, 0, 'the daemon ends cleanly';
done_testing();
