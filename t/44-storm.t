#!/usr/bin/perl
# A storm of sessions while the music plays: small sessions by UDP, 64 outstanding, as fast as 1000 a second. Every one
# is answered, then applied or superseded; no step is lost. OIDUNA_STORM_SECONDS makes it longer than a test should be.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Live;
use Test::More;
use Time::HiRes qw(time sleep);
use TimeLimit;
use Wait;

my $seconds = $ENV{OIDUNA_STORM_SECONDS} || 4;
TimeLimit::set(300 + $seconds);
my $per_second = 1000;
my $outstanding_max = 64;

my $d = Live->start('-o', 'engine.lookahead_ms=500', '-o', 'engine.drop_after_ms=2000');
$d->osc('/oiduna/session', s => session(0, 'now'), s => 'first');
my ($address) = $d->answer;
is $address, '/oiduna/ok', 'a session plays';
$d->osc('/oiduna/start', s => 'start');

sub session {
    my ($n, $timing) = @_;
    return sprintf '{"name":"s%d","apply":{"timing":"%s"},"tracks":{"k":{"params":{"s":"bd","n":%d}}},'
        . '"sequences":{"k":{"events":[{"step":%d},{"step":%d}]}}}', $n, $timing, $n % 1000, $n % 256, ($n * 7 + 1) % 256;
}

my %state;          # request id -> sent, ok, done
my ($sent, $errors, $outstanding, $strange) = (0, 0, 0, 0);

sub take {
    my ($wait) = @_;
    my ($address, @a) = $d->answer($wait) or return 0;
    my $id = $address eq '/oiduna/superseded' ? $a[1] : $a[1];
    return 1 if !defined $id || !exists $state{$id};
    if ($address eq '/oiduna/ok') { $strange++ if $state{$id} ne 'sent'; $state{$id} = 'ok'; }
    elsif ($address eq '/oiduna/error') { $errors++; $state{$id} = 'done'; $outstanding--; }
    elsif ($address =~ /applied|superseded/) { $strange++ if $state{$id} ne 'ok'; $state{$id} = 'done'; $outstanding--; }
    return 1;
}

my $begun = time;
while ((my $now = time - $begun) < $seconds) {
    if ($sent < $now * $per_second && $outstanding < $outstanding_max) {
        my $id = 'r' . ++$sent;
        $state{$id} = 'sent';
        $outstanding++;
        $d->osc('/oiduna/session', s => session($sent, $sent % 3 ? 'now' : 'beat'), s => $id);
        take(0) for 1 .. 4;
    } else {
        take(0.001);
    }
}
my $rate = $sent / (time - $begun);
while ($outstanding && take(patience)) { }
my $stats = $d->call('stats');
diag sprintf '%d sessions, %.0f a second; late %d, dropped %d, decode max %.2f ms, tick p99.9 %.0f us', $sent, $rate,
    $stats->{late_steps}, $stats->{dropped_steps}, $stats->{decode_time_max} / 1e6, $stats->{tick_time}{total}{p999} / 1e3;
my @unanswered = grep { $state{$_} eq 'sent' } keys %state;
is scalar @unanswered, 0, 'every submission is answered' or diag "datagrams lost: $stats->{datagrams_lost}; e.g. $unanswered[0]";
is $errors, 0, 'none with an error';
is scalar(grep { $state{$_} ne 'done' } keys %state), 0, 'every one accepted is applied or superseded';
is $strange, 0, 'in that order';
is $stats->{dropped_steps}, 0, 'no step was dropped';
is $d->stop, 0, 'the daemon ends cleanly';
done_testing();
