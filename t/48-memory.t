#!/usr/bin/perl
# A daemon whose allocations fail, each in its turn, after the start: the music plays on, nobody is left waiting, and the
# next request is served as if nothing had been.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Control;
use Live;
use OSC;
use Scratch;
use Test::More;
use TimeLimit seconds => 600;
use Time::HiRes qw(sleep time);
use Wait;

plan skip_all => 'a sanitizer has an allocator of its own' if $ENV{OIDUNA_SANITIZER};
my $dir = scratch();
my $library = "$dir/failing_malloc.so";
my $cc = $ENV{CC} || 'cc';
plan skip_all => "no C compiler ($cc)" if system("$cc -O1 -shared -fPIC -o $library t/lib/failing_malloc.c >/dev/null 2>&1");

# ---- the allocator's orders: three numbers of 64 bits, mapped by the daemon ---------------------------------------

my $orders = "$dir/orders";
spew("orders", pack 'q<3', -1, 0, 0);
open my $file, '+<:raw', $orders or die "$orders: $!";

sub order { my ($left, $all) = @_; sysseek $file, 0, 0; syswrite $file, pack 'q<3', $left, $all, 0; return }

# Calls it off: how many allocations have failed.
sub failed
{
    sysseek $file, 0, 0;
    syswrite $file, pack 'q<', -1;
    sysseek $file, 16, 0;
    sysread $file, my $n, 8;
    return unpack 'q<', $n;
}

my $d;
{
    local $ENV{LD_PRELOAD} = $library;
    local $ENV{FAILING_MALLOC} = $orders;
    $d = Live->start;
}

# ---- what is asked while allocations fail -------------------------------------------------------------------------

my $session = {
    name => 'memory',
    environment => { bpm => 300 },
    tracks => { kick => { params => { s => 'bd' } }, hat => { params => { s => 'hh' } } },
    sequences => { map { $_ => { length => 16, events => [ { step => 0 }, { step => 8 } ] } } qw(kick hat) },
    scenes => { drop => { active_tracks => ['kick'] } },
};
my $small = { name => 'other', apply => { timing => 'now' }, tracks => { kick => { params => { s => 'cp' } } },
    sequences => { kick => { length => 16, events => [ { step => 4 } ] } } };
spew("session.json", encode_json($session));

my @control = (
    [ 'a question', sub { $_[0]->ask('status') } ],
    [ 'the statistics', sub { $_[0]->ask('stats') } ],
    [ 'OpenMetrics', sub { $_[0]->ask('metrics') } ],
    [ 'the configuration', sub { $_[0]->ask('config') } ],
    [ 'the tracks', sub { $_[0]->ask('tracks') } ],
    [ 'a command', sub { $_[0]->ask(bpm => [300]) } ],
    [ 'a command in words', sub { $_[0]->say('mute kick off') } ],
    [ 'a mute of an unknown track', sub { $_[0]->ask(mute => [ 'nobody', JSON::PP::true ]) } ],
    [ 'a session', sub { $_[0]->ask(session => $small) } ],
    [ 'a session from a file', sub { $_[0]->ask(session => { file => "$dir/session.json" }) } ],
    [ 'a session with a mistake', sub { $_[0]->ask(session => { tracks => 5 }) } ],
    [ 'a scene', sub { $_[0]->ask(scene => [ 'drop', 'now' ]) } ],
    [ 'an undo', sub { $_[0]->ask(undo => ['now']) } ],
    [ 'a subscription', sub { $_[0]->ask(subscribe => [ 'position', 'status', 'applied', 'error' ]) } ],
    [ 'a batch', sub { $_[0]->say('[{"id":1,"method":"ping"},{"id":2,"method":"tracks"}]') } ],
    [ 'nonsense', sub { $_[0]->say('{"id":1,"method":') } ],
);
my @osc = (
    [ 'a question by OSC', '/oiduna/status', s => 'x' ],
    [ 'a session by OSC', '/oiduna/session', s => encode_json($small), s => 'x' ],
    [ 'an unknown command by OSC', '/oiduna/dance' ],
);

sub has_ended { my ($state) = slurp_if_there('/proc/' . $d->pid . '/stat') =~ /\) (\w)/; return ($state // 'Z') eq 'Z' }

sub is_playing
{
    my ($why) = @_;
    my $c = Control->new($d->socket);
    my $status = $c->ask('status')->json(20);
    my $state = $status && $status->{result} ? $status->{result}{state} : '(no answer)';
    return $state eq 'playing' ? 1 : diag("$why: $state") && 0;
}

# Lets allocation number 0, 1, 2 … fail until none is left to fail; all: every later one, too.
sub try_each
{
    my ($name, $ask, $all) = @_;
    my ($i, $lost, $step) = (0, 0, $all ? 7 : 1);
    for (;; $i += $step) {
        order($i, $all);
        my $ended = $ask->();
        my $failed = failed();
        $lost++ if !$ended;
        BAIL_OUT("$name: the daemon ended at allocation $i:\n" . $d->log) if has_ended();
        last if !$failed || $lost > 3 || $i > 5000;
    }
    is $lost, 0, "$name: answered or hung up on, with each of $i allocations failing" . ($all ? ' and all after it' : '');
    ok is_playing($name), 'and the music plays on';
}

$d->call(session => $session);
$d->call('start');
ok eventually(sub { is_playing('start') }), 'a session plays';

for my $all (0, 1) {
    for (@control) {
        my ($name, $ask) = @$_;
        try_each($name, sub {
            my $c = Control->new($d->socket);
            $ask->($c);
            return defined $c->line(10); # a line, or the end
        }, $all);
    }
    for (@osc) {
        my ($name, @message) = @$_;
        # what is sent by UDP may be lost: what counts is that the daemon goes on
        try_each($name, sub { $d->osc(@message); sleep 0.01; return 1 }, $all);
    }
}

my $stats = $d->call('stats');
is $stats->{dropped_steps}, 0, 'no step was dropped';
is $d->call('ping') && $d->stop, 0, 'and it ends as ever';
like $d->log, qr/out of memory/, 'it said what it was short of';
done_testing;
