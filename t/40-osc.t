#!/usr/bin/perl
# The OSC interface as a client meets it: documents whole and in pieces, request ids, receipts, errors with their paths,
# one sender's order, time tags, and what is never answered.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Socket::INET;
use Live;
use OSC;
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;
use Time::HiRes qw(time sleep);
use TimeLimit;
use Wait;

my $d = Live->start('-o', 'engine.drop_after_ms=10000', '-o', 'engine.lookahead_ms=1000');

# Another sender: the same daemon, a socket of its own.
sub another {
    my $udp = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1', LocalPort => 0) or die "socket: $!";
    $udp->setsockopt(SOL_SOCKET, SO_RCVBUF, 1 << 20);
    return bless { %$d, udp => $udp }, 'Live';
}

# The next answer without /oiduna/, in words; 'silence' when none comes, in so many seconds.
sub heard {
    my ($c, $seconds) = @_;
    my ($address, @values) = $c->answer($seconds) or return 'silence';
    $address =~ s{^/oiduna/}{};
    return join ' ', $address, map { length ? $_ : '-' } @values;
}

# The next $n answers; pieces acknowledge nothing, so that is all there is.
sub all_heard { my ($c, $n) = @_; return map { heard($c) } 1 .. $n }

# Hears until an answer matches; that answer, or 'silence'.
sub heard_like {
    my ($c, $like) = @_;
    while ((my $h = heard($c)) ne 'silence') { return $h if $h =~ $like }
    return 'silence';
}

sub hush { my ($c) = @_; 1 while heard($c, quiet) ne 'silence'; return }

sub session {
    my ($name, @tracks) = @_;
    my $tracks = join ',', map { qq("$_":{"params":{"s":"bd"}}) } @tracks;
    my $events = join ',', map { qq("$_":{"events":[{"step":0}]}) } @tracks;
    return qq({"name":"$name","apply":{"timing":"now"},"tracks":{$tracks},"sequences":{$events}});
}

sub in_pieces {
    my ($text, $size) = @_;
    return map { substr $text, $_ * $size, $size } 0 .. int((length($text) - 1) / $size);
}

# ---- whole documents ---------------------------------------------------------------------------------------------------
{
    my $c = another();
    $c->osc('/oiduna/session', b => session('blob', 'a'), s => 'r1');
    is heard($c), 'ok session r1', 'a session as a blob is accepted, with the request id';
    my @applied = $c->answer;
    is_deeply [ @applied[ 0 .. 3 ] ], [ '/oiduna/applied', 'blob', 'r1', 0 ], 'and applied: session, id and step';
    my $due = ($applied[4] >> 32) - 2208988800 + ($applied[4] & 0xffffffff) / 2**32;
    cmp_ok abs($due - time), '<', 60, 'with a due time of the wall clock';
    $c->osc('/oiduna/session', s => session('string', 'a'));
    is heard($c), 'ok session -', 'one as a string, without an id';
    like heard($c), qr/^applied string - /, 'which is the empty id in its receipt, too';
    $c->osc('/oiduna/status', s => 'q');
    like heard($c), qr/^status\/reply stopped string 120 0 0 0 - q$/, 'status tells what plays';
    $c->osc('/oiduna/ping');
    like heard($c), qr/^pong \S+$/, 'ping is answered with the version';

    $c->osc('/oiduna/session', s => '{"tracks":{"kick":{"params":{"s":"bd","gain":"loud"}}}}', s => 'r2');
    like heard($c), qr/^error session r2 tracks\.kick\.params\.gain: /, 'an error begins with the path';
    $c->osc('/oiduna/session', s => "{\n  \"tracks\": nonsense}", s => 'r3');
    like heard($c), qr/^error session r3 line 2, column 13: /, 'what is no JSON is named by line and column';
    $c->osc('/oiduna/session', s => '', s => 'r4');
    like heard($c), qr/^error session r4 /, 'nothing is no document';
    $c->osc('/oiduna/session', s => '{"name":"warned","colour":1,"apply":{"timing":"now"}}', s => 'r5');
    like heard($c), qr/^warning session r5 colour/, 'an unknown key is a warning';
    is heard($c), 'ok session r5', 'the session is accepted all the same';
    like heard($c), qr/^applied warned r5 /, 'and applied';
    is heard($c, quiet), 'silence', 'that was all';
}

# ---- in pieces -------------------------------------------------------------------------------------------------------
{
    my $c = another();
    my $text = session('pieces', map { "track$_" } 1 .. 1000);
    my @piece = in_pieces($text, 1300);
    my @order = reverse 0 .. $#piece;
    @order = (@order[ grep { $_ % 2 } 0 .. $#order ], @order[ grep { !($_ % 2) } 0 .. $#order ]);
    $c->osc('/oiduna/session/begin', s => 'one', i => length $text, i => scalar @piece, s => 'b');
    is heard($c), 'ok session/begin b', 'a set begins';
    my %left_out = map { $_ => 1 } 5, 6, 40;
    for (@order) {
        $c->osc('/oiduna/session/chunk', s => 'one', i => $_, b => $piece[$_]) unless $left_out{$_};
        $c->osc('/oiduna/session/chunk', s => 'one', i => $_, b => $piece[$_]) if $_ % 3 == 1 && !$left_out{$_};
    }
    $c->osc('/oiduna/session/end', s => 'one', s => 'e1');
    like heard($c), qr/^error session\/end e1 .*missing 3 of @{[scalar @piece]} pieces: 5-6, 40$/,
        'shuffled and repeated pieces say nothing; the end lists what is missing';
    $c->osc('/oiduna/session/chunk', s => 'one', i => $_, b => $piece[$_], s => "c$_") for 5, 6, 40;
    is_deeply [ all_heard($c, 3) ], [ map { "ok session/chunk $_" } qw(c5 c6 c40) ], 'a piece with an id is answered';
    $c->osc('/oiduna/session/end', s => 'one', s => 'e2');
    is heard($c), 'ok session/end e2', 'then the document is whole: ' . length($text) . ' bytes';
    like heard($c), qr/^applied pieces e2 /, 'and applied';
    $c->osc('/oiduna/session/end', s => 'one', s => 'e3');
    like heard($c), qr/^error session\/end e3 .*"one"/, 'a set ends once';

    $c->osc('/oiduna/session/chunk', s => 'two', i => 0, b => 'x', s => 'c');
    like heard($c), qr/^error session\/chunk c .*session\/begin/, 'a piece before its begin is an error';
    $c->osc('/oiduna/session/begin', s => 'two', i => 9 << 20, i => 200, s => 'b');
    like heard($c), qr/^error session\/begin b .*9437184.*8388608/, 'more than limits.session_bytes is refused at once';
    my $other = another();
    $c->osc('/oiduna/session/begin', s => 'mine', i => 2, i => 1);
    is heard($c), 'ok session/begin -', 'a set of one sender';
    $other->osc('/oiduna/session/chunk', s => 'mine', i => 0, b => '{}');
    like heard($other), qr/^error session\/chunk - /, 'is not another sender\'s';
    $c->osc('/oiduna/session/begin', s => 'mine', i => 2, i => 1);
    $c->osc('/oiduna/session/chunk', s => 'mine', i => 0, b => '{}}');
    like((all_heard($c, 2))[1], qr/^error session\/chunk - .*3 bytes.*2/, 'a piece too many bytes long is refused');

    my ($x, @set) = (another(), map { "s$_" } 1 .. 9);
    my $begun = time;
    $x->osc('/oiduna/session/begin', s => $_, i => 4, i => 2) for @set;
    is scalar(grep { /^error session\/begin - too many documents in pieces \(limit 8\)/ } all_heard($x, 9)), 2, 'eight sets at once, of whatever sender';
    $x->osc('/oiduna/session/chunk', s => 's2', i => 1, b => '{}');
    my @given_up = map { heard($x) } 1 .. 7;
    cmp_ok time - $begun, '>', 4, 'sets that stay incomplete are not given up soon';
    is scalar(grep { /^error session\/begin - set "s\d": missing/ } @given_up), 7, 'but after five seconds, with what is missing';
    like((grep { /"s2"/ } @given_up)[0], qr/missing 1 of 2 pieces: 0\b/, 'for each set its own');
    hush($c);
    $c->osc('/oiduna/session/begin', s => 'again', i => 2, i => 1);
    is heard($c), 'ok session/begin -', 'then there is room again';
}

# ---- commands --------------------------------------------------------------------------------------------------------
{
    my $c = another();
    $c->osc('/oiduna/session', s => session('commands', 'kick', 'lead'), s => 's');
    heard_like($c, qr/^applied/);
    my @command = (
        [ 'bpm', f => 121 ], [ 'bpm', i => 120 ], ['tap'], [ 'nudge', f => 2 ], [ 'mute', s => 'kick', i => 1 ],
        [ 'mute', s => 'kick', i => 0 ], [ 'solo', s => 'lead', T => 1 ], [ 'solo', s => 'lead', F => 0 ], ['mute/clear'],
        ['start'], ['pause'], ['continue'], ['stop'], ['panic'],
    );
    for (@command) {
        my ($name, @arguments) = @$_;
        $c->osc("/oiduna/$name", @arguments, s => "id-$name");
        is heard($c), "ok $name id-$name", "$name @arguments";
    }
    $c->osc('/oiduna/bpm', f => 1000, s => 'x');
    like heard($c), qr/^error bpm x .*999/, 'a tempo of 1000 is refused with the limit';
    $c->osc('/oiduna/mute', s => 'ghost', i => 1, s => 'x');
    like heard($c), qr/^error mute x .*"ghost"/, 'a track that nobody knows';
    $c->osc('/oiduna/mute', i => 1, s => 'x');
    like heard($c), qr/^error mute /, 'wrong arguments';
    $c->osc('/oiduna/bpm', f => 120, s => 'x' x 64);
    like heard($c), qr/^error bpm - .*63/, 'a request id of 64 bytes is too long';
    $c->osc('/oiduna/party', s => 'x');
    like heard($c), qr/^error party - /, 'no such command';
    $c->osc('/oiduna/scene', s => 'none', s => '', s => 'x');
    like heard($c), qr/^error scene x /, 'no such scene';
    $c->osc('/oiduna/scene', s => 'none', s => 'someday', s => 'x');
    like heard($c), qr/^error scene x unknown timing "someday"/, 'no such timing';
    $c->osc('/oiduna/session', s => session('undone', 'kick'), s => 's2');
    heard_like($c, qr/^applied undone/);
    $c->osc('/oiduna/undo', s => 'now', s => 'u');
    is heard($c), 'ok undo u', 'undo is accepted';
    like heard($c), qr/^applied commands u /, 'and brings back the session before';
}

# ---- receipts while playing ------------------------------------------------------------------------------------------
{
    my $c = another();
    $c->osc('/oiduna/bpm', f => 1);
    $c->osc('/oiduna/start');
    heard_like($c, qr/^ok start/);
    (my $at_seq = session('waits', 'kick')) =~ s/"now"/"seq"/;
    (my $newer = $at_seq) =~ s/waits/newer/;
    $c->osc('/oiduna/session', s => $at_seq, s => 'w1');
    is heard($c), 'ok session w1', 'a session for the end of the loop is accepted';
    is heard($c, quiet), 'silence', 'and waits';
    $c->osc('/oiduna/status');
    like heard($c), qr/ waits$/, 'as status says';
    $c->osc('/oiduna/session', s => $newer, s => 'w2');
    is_deeply [ sort(all_heard($c, 2)) ], [ 'ok session w2', 'superseded session w1' ], 'a newer one supersedes it';
    $c->osc('/oiduna/stop', s => 'stop');
    my @heard = sort(all_heard($c, 2));
    like "@heard", qr/^applied newer w2 .* ok stop stop$/, 'stop applies what waits';
    $c->osc('/oiduna/bpm', f => 120);
    heard($c);
}

# ---- order -----------------------------------------------------------------------------------------------------------
{
    my $c = another();
    my $text = session('ordered', 'brought', map { "t$_" } 1 .. 2000);
    my @piece = in_pieces($text, 60000);
    $c->osc('/oiduna/session/begin', s => 'set', i => length $text, i => scalar @piece);
    is heard($c), 'ok session/begin -', 'a long session is sent';
    $c->osc('/oiduna/session/chunk', s => 'set', i => $_, b => $piece[$_]) for 0 .. $#piece;
    $c->osc('/oiduna/session/end', s => 'set', s => '1');
    $c->osc('/oiduna/mute', s => 'brought', i => 1, s => 'mute');
    $c->osc('/oiduna/bpm', f => 100 + $_, s => "bpm$_") for 1 .. 5;
    $c->osc('/oiduna/status', s => 'status');
    $c->osc('/oiduna/session', s => session('short', 'other'), s => '2');
    $c->osc('/oiduna/status', s => 'status2');
    my @heard = grep { !/^applied/ } all_heard($c, 12);
    my @muted = grep { /mute/ } @heard;
    is_deeply \@muted, ['ok mute mute'], 'a mute of a track that is on its way is no error';
    @heard = grep { !/mute/ } @heard;
    is shift @heard, 'ok session/end 1', 'what comes after a submission waits for it';
    my %at = map { $heard[$_] =~ /(\S+)$/; ($1 => $_) } 0 .. $#heard;
    ok $at{status} < $at{2}, 'a question is answered before the next session';
    like $heard[ $at{status} ], qr/stopped ordered/, 'and sees the one before';
    like $heard[ $at{status2} ], qr/stopped short/, 'the next one the next';
    is_deeply [ grep { /bpm/ } @heard ], [ map { "ok bpm bpm$_" } 1 .. 5 ], 'five tempos keep their order';
    $c->osc('/oiduna/status');
    like heard($c), qr/ 105 /, 'so the last one holds';
    $c->osc('/oiduna/bpm', f => 120);
    heard($c);
}

# ---- bundles ---------------------------------------------------------------------------------------------------------
{
    my $c = another();
    $c->send_raw(osc_bundle(0, osc_message('/oiduna/ping', s => 'a'), osc_message('/oiduna/ping', s => 'b')));
    is_deeply [ map { (split)[2] } all_heard($c, 2) ], [ 'a', 'b' ], 'every message of a bundle is answered';
    $c->osc('/oiduna/session', s => session('timed', 'kick'), s => 's');
    heard_like($c, qr/^applied/);
    1 while $d->heard(quiet);
    my $when = time + 3;
    $c->send_raw(osc_bundle($when, osc_message('/oiduna/start', s => 'then')));
    is heard($c), 'ok start then', 'a start in a bundle of the future';
    cmp_ok time, '>', $when - 1.1, 'waits until its first step has to leave';
    my ($ns) = $d->heard;
    cmp_ok abs($ns / 1e9 - $when), '<', 0.001, 'the first step is due at the time tag';
    $c->send_raw(osc_bundle(time - 10, osc_message('/oiduna/stop', s => 'late')));
    is heard($c), 'ok stop late', 'a time tag of the past means now';
    $c->send_raw(osc_bundle(time + 70, osc_message('/oiduna/start', s => 'far')));
    like heard($c), qr/^error start far .*60/, 'one more than 60 s ahead is refused with the limit';
}

# ---- never answered --------------------------------------------------------------------------------------------------
{
    my $c = another();
    my $before = $d->call('stats');
    my @reply = qw(ok error warning applied superseded status/reply pong);
    $c->osc("/oiduna/$_", s => 'session', s => 'id', s => 'text') for @reply;
    $c->osc('/dirt/play', s => 's', s => 'bd');
    $c->send_raw($_) for 'noise', "/oiduna/ping\0\0\0", "/oiduna/bpm\0,f\0\0", "#bundle\0", "\0" x 16, substr(osc_message('/oiduna/ping'), 0, -1);
    is heard($c, 3 * quiet), 'silence', 'reply addresses, other addresses and noise are not answered';
    my $after = $d->until_stats(sub { $_[0]{datagrams_malformed} >= $before->{datagrams_malformed} + 6 });
    is $after->{datagrams_reflected} - $before->{datagrams_reflected}, scalar @reply, 'but counted: reply addresses';
    cmp_ok $after->{datagrams_malformed} - $before->{datagrams_malformed}, '>=', 6, 'and what is no OSC or not ours';

    sleep 1.1; # the errors told above are forgotten
    my $begun = time;
    $c->osc('/oiduna/party') for 1 .. 100;
    my ($told, $suppressed) = (0, 0);
    eventually(sub {
        $told++ while heard($c, quiet) =~ /^error party/;
        $suppressed = $d->call('stats')->{answers_suppressed} - $after->{answers_suppressed};
        return $told + $suppressed >= 100;
    });
    my $seconds = int(time - $begun) + 1;
    cmp_ok $told, '>=', 20, 'of a hundred errors twenty are told';
    cmp_ok $told, '<=', 20 * $seconds, 'in any second';
    is $suppressed, 100 - $told, 'the others are counted';
    $c->osc('/oiduna/ping');
    like heard($c), qr/^pong/, 'and the sender is served as before';
}

is $d->stop, 0, 'the daemon ends cleanly';
done_testing();
