#!/usr/bin/perl
# The control socket, as a client meets it: JSON-RPC and bare words, every method, answers and receipts, notifications, the
# order of a client's requests, and how many clients there may be.
use strict;
use warnings;
use FindBin;
use IO::Select;
use JSON::PP;
use lib "$FindBin::Bin/lib";
use Control;
use Live;
use Program;
use Test::More;
use Time::HiRes qw(time sleep);
use TimeLimit;
use Wait;

$SIG{PIPE} = "IGNORE";
my $d = Live->start('-o', 'engine.drop_after_ms=60000', '-o', 'destination.viz.address=/viz');

sub client { return Control->new($d->socket) }

# ---- JSON-RPC --------------------------------------------------------------------------------------------------------
my $c = client();
is $c->say('{"jsonrpc":"2.0","id":"a/1","method":"ping"}')->line =~ s/\d+\.\d+\.\d+/VERSION/r,
    '{"jsonrpc":"2.0","id":"a/1","result":{"version":"VERSION"}}', 'a request is answered with its id, on one line';
my %error = (
    '{"id":1,"method":"dance"}'                   => -32601,
    '{"id":1,"method":"bpm"}'                     => -32602,
    '{"id":1,"method":"bpm","params":["fast"]}'   => -32602,
    '{"id":1,"method":"bpm","params":[128,1]}'    => -32602,
    '{"id":1,"method":"stats","params":[1]}'      => -32602,
    '{"id":1,"method":"undo","params":["soon"]}'  => -32602,
    '{"id":1,"method":"bpm","params":[5000]}'     => -32000,
    '{"id":1,"method":"mute","params":["no",1]}'  => -32000,
    '{"id":1,"method":"scene","params":["no"]}'   => -32000,
    '{"id":1,"method":"session","params":{"file":"/nonexistent"}}' => -32000,
    '{"id":1,"method":"session","params":{"file":"/dev/zero"}}'    => -32000,
    '{"id":1,"method":"session","params":{"file":5}}'              => -32602,
    '{"id":1,"method":"session"}'                 => -32602,
    '{"id":1,"method":5}'                         => -32600,
    '{"id":1}'                                    => -32600,
    '[]'                                          => -32600,
    '5'                                           => -32600,
    '5,'                                          => -32700,
    '{"id":1,"method":"ping"'                     => -32700,
    '[{"id":1,"method":"ping"}'                   => -32700,
    '%!'                                          => -32700,
);
for my $line (sort keys %error) {
    my $answer = $c->say($line)->json;
    is $answer->{error}{code}, $error{$line}, "$line: $error{$line}";
    ok length $answer->{error}{message}, 'with a sentence';
}
my $many = $c->say('[{"id":1,"method":"ping"},{"method":"mute/clear"},5,{"id":2,"method":"bpm","params":{"bpm":130}}]')->json;
is ref $many, 'ARRAY', 'a batch is answered by an array';
my $mixed = $c->say('[{"id":1,"method":"ping"},foo,{"id":2 "method":"ping"},{"id":3,"method":"bpm","params":["x"]},{"id":4},{"id":5,"method":"ping"}]')->json;
is_deeply [ sort map { ($_->{id} // 'null') . ($_->{error} ? " $_->{error}{code}" : '') } @$mixed ],
    [ '1', '3 -32602', '4 -32600', '5', 'null -32600', 'null -32700' ], 'what is wrong with one element is its own';
is_deeply [ sort map { $_->{id} // 'null' } @$many ], [ 1, 2, 'null' ], 'of answers to those that want one';
is_deeply [ map { $_->{error}{code} // () } @$many ], [-32600], 'what is no request among them is an invalid one';
$c->say('{"method":"bpm","params":[140]}', '{"method":"dance"}', '{"id":9,"method":"status"}');
my $status = $c->json;
is $status->{id}, 9, 'a request without id is not answered';
is $status->{result}{bpm}, 140, 'but carried out, before the next';

# ---- bare words ------------------------------------------------------------------------------------------------------
$c->say('bpm 128', 'status', 'mute/clear', 'dance', 'bpm', 'ping', 'tap');
is $c->line, 'ok: 128 bpm', 'bare words are answered in words';
like $c->line, qr/^stopped at 128 bpm, bar 0, beat 0, step 0$/, 'each after those before it';
is $c->line, 'ok', 'one line each';
like $c->line, qr/^error: unknown method/, 'errors as well';
is $c->line, q(error: bpm: missing argument 'bpm'), 'with what is wrong';
like $c->line, qr/^oiduna \d/, 'ping';
is $c->line, 'ok: 128 bpm; tap once more to set the tempo', 'remarks too';
like $c->say('stats')->line, qr/^stopped .*; 0 late, 0 dropped, \d+ slow; tick .* ms average/, 'the statistics in a line';

# Time passes between its last line and the answer, so the end is known before that.
my $long = $d->dir . '/long.json';
open my $l, '>', $long or die;
print $l '{', ' ' x 4e6, '}';
close $l;
my $kept = 0; # from the last answer to the end, of all
for (1 .. 8) {
    my $once = client();
    shutdown $once->say("session $long")->{socket}, 1;
    my $answered = time;
    $answered = time while length($once->line // '');
    $kept += time - $answered;
}
cmp_ok $kept, '<', 2, 'clients that end when they have been answered (nc -N) are let go at once';

# ---- sessions --------------------------------------------------------------------------------------------------------
my $demo = {
    name => 'demo', apply => { timing => 'now' }, environment => { steps_per_beat => 4 },
    mixer_lines => { drums => { include => ['kick'] } },
    tracks => { kick => { params => { s => 'bd' } }, hat => { params => { s => 'hh' }, destination => 'viz', meta => { mute => JSON::PP::true } } },
    sequences => { kick => { length => 16, events => [ map { { step => 4 * $_ } } 0 .. 3 ] } },
    scenes => { drop => { tracks => {}, tracks_midi => {}, sequences => {} } },
};
$c->ask(session => $demo, 'first');
is_deeply $c->json, { jsonrpc => '2.0', id => 'first', result => { accepted => JSON::PP::true, warnings => [] } }, 'a session is accepted';
my $applied = $c->json;
is $applied->{method}, 'applied', 'and its receipt follows';
is_deeply [ @{ $applied->{params} }{qw(request session step beat bar)} ], [ 'first', 'demo', 0, 0, 0 ], 'with the request that it is of';
my $tracks = $d->call('tracks');
is_deeply $tracks->{tracks}[ ($tracks->{tracks}[0]{id} eq 'kick') ? 0 : 1 ],
    { id => 'kick', type => 'osc', destination => 'superdirt', line => 'drums', events => 4, length => 16,
      muted => JSON::PP::false, soloed => JSON::PP::false, by_command => JSON::PP::false }, 'tracks tells of it';
is_deeply $d->call('scenes'), { session => 'demo', scenes => ['drop'] }, 'scenes of its scenes';

my $refused = $d->request(session => { tracks => { kick => { params => { s => 5 } } } });
is $refused->{error}{code}, -32000, 'a wrong document is refused';
is $refused->{error}{data}{path}, 'tracks.kick.params.s', 'with the path of what is wrong';
is $c->say('{"id":1,"method":"session","params":{"environment":{"bpm":1e400}}}')->json->{error}{data}{path}, 'environment.bpm',
    'numbers reach the decoder as they were written';
like $c->say('{"id":1,"method":"session","params":{"name":"x",}}')->json->{error}{message}, qr/line 1, column \d+/, 'what is no JSON is placed';
my $warned = $d->call(session => { dance => 1 });
like $warned->{warnings}[0], qr/^dance: /, 'warnings come with the acceptance';
is $d->request(session => { dance => 1 })->{result}{accepted}, JSON::PP::true, 'an empty session is one';

my $file = $d->dir . '/session.json';
open my $f, '>', $file or die;
print $f encode_json({ %$demo, name => 'from a file', apply => { timing => 'seq' } });
close $f;
$c->say("session $file");
is $c->line, 'accepted', 'bare: a file is submitted';
is $c->line, 'applied: from a file at step 0, bar 0, beat 0', 'and applied';
ok $d->call(session => { file => $file, apply => { timing => 'now' } }), 'a file, with another apply';
for ([ $d->dir . '/none.json', qr/No such file or directory/ ], [ $d->dir, qr/Is a directory/ ], [ '/dev/zero', qr/not a (?:regular )?file/ ]) {
    my ($name, $reason) = @$_;
    like $d->request(session => { file => $name })->{error}{message}, qr/^\Q$name\E: $reason/, "$name: is named, with the reason";
}

# One client's requests take effect in their order, also before the session is decoded.
$c->say(encode_json({ id => 1, method => 'session', params => { name => 'long', tracks => { fresh => { params => { s => 'x' }, fx => {} } },
    scale => [ (1) x 200000 ], apply => { timing => 'now' } } }),
    '{"id":2,"method":"mute","params":["fresh",true]}', '{"id":3,"method":"bpm","params":[99]}', '{"id":4,"method":"tracks"}', '{"id":5,"method":"status"}');
my %answer;
while (keys %answer < 5) { my $j = $c->json or last; $answer{ $j->{id} } = $j if $j->{id} }
is $answer{2}{result}{ok}, JSON::PP::true, 'a track of a session that is being decoded is known';
is_deeply [ map { "$_->{id} $_->{muted} $_->{by_command}" } @{ $answer{4}{result}{tracks} } ], ['fresh 1 1'], 'tracks are those after it';
is_deeply [ @{ $answer{5}{result} }{qw(session bpm)} ], [ 'long', 99 ], 'and so is the status';

# ---- receipts and notifications --------------------------------------------------------------------------------------
my $follower = client();
is_deeply $follower->ask('subscribe')->json->{result}, { subscribed => [qw(position status applied error late)] }, 'subscribe: to everything';
my $words = client();
is $words->say('subscribe applied error')->line, 'applied, error', 'bare: to some';
is $c->ask(subscribe => ['dance'])->json->{error}{code}, -32602, 'what does not exist is refused';

$d->call(session => $demo);
my $p = $follower->notice('applied');
is_deeply [ $p->{session}, exists $p->{request} ? 1 : 0 ], [ 'demo', 0 ], 'a subscriber sees what others submit';
is $words->line, 'applied: demo at step 0, bar 0, beat 0', 'bare: in words';
$d->call(bpm => [480]);
$d->call('start');
my @beat = map { $follower->notice('position') } 1 .. 6;
is_deeply [ map { $_->{step} - 4 * $_->{beat} } @beat ], [ (0) x 6 ], 'a position on each beat';
is_deeply [ map { $beat[$_]{beat} - $beat[ $_ - 1 ]{beat} } 1 .. 5 ], [ (1) x 5 ], 'one after the other' if $beat[5]{beat} == 5;
is $beat[5]{bar}, int $beat[5]{beat} / 4, 'with its bar';
$d->call(bpm => [240]);
my $s;
1 while ($s = $follower->notice('status')) && $s->{bpm} != 240;
is_deeply [ @$s{qw(state session bpm)} ], [ 'playing', 'demo', 240 ], 'a status when it changes';
$d->osc('/oiduna/session', s => '{"name":"by UDP","apply":{"timing":"now"}}', s => 'u');
1 while ($p = $follower->notice('applied')) && $p->{session} ne 'by UDP';
ok $p, 'also what is submitted by OSC';
$d->osc('/oiduna/session', s => '{"tracks":5}', s => 'u');
$p = $follower->notice('error');
is_deeply [ @$p{qw(command path)} ], [ 'session', 'tracks' ], 'and what is refused';
1 while defined($s = $words->line) && $s !~ /^error/;
like $s, qr/^error: session: tracks: /, 'bare: in words';

$d->call(bpm => [60]);
$d->call(session => { %$demo, apply => { timing => 'now' } });
$c->ask(session => { %$demo, name => 'older', apply => { timing => 'seq' } }, 'older');
$c->ask(session => { %$demo, name => 'newer', apply => { timing => 'seq' } }, 'newer');
my %receipt;
while (!$receipt{older}) { my $j = $c->json or last; $receipt{ $j->{params}{request} } = $j->{method} if $j->{method} && $j->{params}{request} }
is $receipt{older}, 'superseded', 'a submission that a newer one replaces is superseded';
is $d->call('status')->{waiting}, 'newer', 'status: what waits';
is $d->call('stop')->{ok}, JSON::PP::true, 'stop';
while (!$receipt{newer}) { my $j = $c->json or last; $receipt{ $j->{params}{request} } = $j->{method} if $j->{method} && $j->{params}{request} }
is $receipt{newer}, 'applied', 'applies what waits';
ok $d->call(scene => ['drop']), 'scene';
ok $d->call(undo => ['now']), 'undo';
ok $d->call(mute => { id => 'kick', on => JSON::PP::true }), 'mute, by names';
ok $d->call(solo => [ 'kick', 1 ]), 'solo';
ok $d->call($_), $_ for qw(pause continue test-sound panic);

# ---- figures ---------------------------------------------------------------------------------------------------------
my $stats = $d->call('stats');
cmp_ok $stats->{$_}, '>', 0, "stats: $_" for qw(ticks steps sessions_submitted sessions_accepted sessions_rejected sessions_applied
    sessions_superseded commands udp_port clock_offset_ns uptime_s max_tick_time_ms);
ok exists $stats->{$_}, "stats: $_" for qw(slow_ticks late_steps dropped_steps average_tick_time_ms datagrams_lost minor_page_faults
    involuntary_switches scheduling_class memory_locked bpm state);
ok exists $stats->{$_}{last_10s}{p999}, "stats: $_, over the last 10 s" for qw(tick_time wake_lateness margin);
is_deeply [ map { $_->{name} } @{ $d->call('destinations')->{destinations} } ], [qw(superdirt midi rack viz)], 'destinations';
my $metrics = $d->call('metrics');
like $metrics, qr/\n# EOF\n\z/, 'metrics: OpenMetrics text';
like $metrics, qr/^oiduna_steps_total [1-9]/m, 'with the counters';

# ---- connections -----------------------------------------------------------------------------------------------------
is sprintf('%o', (stat $d->socket)[2] & 07777), '600', 'the socket is its owner\'s alone';
is sprintf('%o', (stat $d->dir . '/oiduna')[2] & 07777), '700', 'so is its directory';
my $half = client();
$half->say(encode_json({ id => 5, method => 'session', params => { name => 'last', apply => { timing => 'now' } } }));
$half->{socket}->syswrite('ping');
$half->{socket}->shutdown(1);
my @lines;
while (defined(my $l = $half->line)) { last if $l eq ''; push @lines, $l }
is_deeply [ sort map { /accepted/ ? 'accepted' : /applied/ ? 'applied' : /^oiduna / ? 'pong' : $_ } @lines ], [qw(accepted applied pong)],
    'who has said everything still gets its answers and receipts, then is let go'
    or diag explain \@lines;
my $endless = client();
$endless->{socket}->syswrite('{"id":77,"method":"session","params":{"name":"');
my $piece = 'x' x 65536;
$endless->{socket}->syswrite($piece) for 1 .. 130;
$endless->say('"}}', 'ping');
my $too_long = $endless->json;
is_deeply [ $too_long->{id}, $too_long->{error}{code} ], [ 77, -32600 ], 'a line that is too long is refused';
like $too_long->{error}{message}, qr/8389632 bytes/, 'with the limit';
like $endless->line, qr/^oiduna/, 'and the next is read';
undef $endless;

# Somebody asks far more than can be answered at once; the others are served meanwhile.
my $busy = client();
$busy->{socket}->blocking(0);
$busy->{socket}->syswrite("stats\n" x 20000);
my $asked = time;
like(client()->say('ping')->line // '', qr/^oiduna/, 'a client that asks a lot');
cmp_ok time - $asked, '<', 3 * slowness, 'does not keep the others waiting';
undef $busy;

# Unfinished lines: what all of them may take together is limited, and the others can still speak.
my @begun = map { client() } 1 .. 12;
# In turns: who stands still for 5 s is cut off.
$_->{socket}->syswrite('{"id":5,"x":"') for @begun;
for (1 .. 28) {
    $_->{socket}->syswrite('x' x (1 << 18)) for @begun;
}
my $crowded = IO::Select->new(map { $_->{socket} } @begun);
my ($told) = $crowded->can_read(patience);
($told) = grep { $told && $_->{socket} == $told } @begun;
like(($told ? $told->line : undef) // '', qr/"id":5,"error":\{"code":-32001,"message":"too many bytes coming in at once \(limit 64 MiB/, 'who begins one line too many is told');
is scalar($crowded->can_read(0)) < 12, 1, 'but not everybody';
ok $d->call(session => { name => 'short' }), 'and short ones get through';
undef @begun;
undef $told;
undef $crowded;

my @crowd = map { my $x = client(); $x->say('ping'); $x->line; $x } 1 .. 70;
my @in = grep { $_->{socket}->connected && $_->say('ping') && ($_->line // '') =~ /^oiduna/ } do { local $SIG{PIPE} = 'IGNORE'; @crowd[ 0 .. 59 ] };
is scalar @in, 60, 'sixty clients are served';
my $one_more = client();
like $one_more->line // '', qr/too many clients \(limit 64\)|^$/, 'the sixty-fifth is told';
undef @crowd;
undef @in;

# ---- the end ---------------------------------------------------------------------------------------------------------
my $last = client();
my $patience = time + patience;
$last = client() while ($last->say('ping')->line(2) // '') !~ /^oiduna/ && time < $patience;
is $last->say('shutdown')->line, 'ok', 'shutdown is answered';
is $last->line, '', 'then the daemon is gone';
end($d->pid);
is $?, 0, 'with exit code 0';
ok !-e $d->socket, 'and its socket as well';
done_testing();
