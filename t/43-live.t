#!/usr/bin/perl
# What is heard live is what dump prints: the daemon's datagrams of two loops, captured on a real socket, hold the same
# events in the same order, and their time tags stand on dump's grid to 1 us (less the offset between the clocks that
# the daemon reports).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Live;
use OSC;
use POSIX qw(getcwd);
use Program qw(oiduna);
use Test::More;
use Time::HiRes qw(time);
use TimeLimit;
use Wait;

my $session = 't/golden/trio/session.json';
my $loops = 2;

sub readable {
    my ($pairs) = @_;
    return join ' ', map { my ($n, $t, $v) = @$_; "$n=" . ($t eq 's' ? $v : $t eq 'i' ? unpack 'l>', $v : unpack 'f>', $v) } @$pairs;
}

# [[name, type, bytes], ...] of one message
sub pairs {
    my ($address, @values) = osc_parse($_[0]);
    my @pairs;
    while (my ($name, $value) = splice @values, 0, 2) { push @pairs, [ $name->[1], @$value ]; }
    return \@pairs;
}

# the same out of a line of dump
sub dumped {
    my ($line) = @_;
    my ($t_ns, $osc) = $line =~ /"t_ns":(\d+),.*"osc":\["\/dirt\/play",(.*)\]\}$/ or return;
    my @pairs;
    while ($osc =~ /\["([^"]*)",(?:"([^"]*)"|([^\]]*))\]/g) {
        my ($name, $string, $number) = ($1, $2, $3);
        push @pairs, defined $string ? [ $name, 's', $string ]
            : $number =~ /[.e]/ ? [ $name, 'f', pack 'f>', $number ] : [ $name, 'i', pack 'l>', $number ];
    }
    return ($t_ns, \@pairs);
}

# A long look-ahead and no dropping, so that a busy machine changes nothing of what is compared.
my $d = Live->start('-o', 'engine.lookahead_ms=1500', '-o', 'engine.drop_after_ms=60000');

my @expected;
open my $dump, '-|', oiduna(), 'dump', $session, '--loops', $loops or die;
while (<$dump>) {
    my ($t_ns, $pairs) = dumped($_) or next;
    push @expected, [ $t_ns, $pairs ];
}
close $dump;
cmp_ok scalar @expected, '>', 200, 'there is a lot to be heard: ' . @expected . ' events';

ok $d->call('session', { file => getcwd() . "/$session" }), 'the daemon takes the session';
my $before = $d->call('stats');
ok $d->call('start'), 'and plays it';
my @heard;
my $patience = time + patience;
while (@heard < @expected && time < $patience) {
    my ($ns, @messages) = $d->heard or last;
    push @heard, map { [ $ns, pairs($_) ] } @messages;
}
my $stats = $d->call('stats');
is scalar @heard, scalar @expected, 'as many events are heard as dump prints';
is $stats->{dropped_steps}, 0, 'no step was dropped';

# Bundles leave step by step; micro-timing may bring a later step's event before an earlier one's.
my @in_time = map { $heard[$_] } sort { $heard[$a][0] <=> $heard[$b][0] || $a <=> $b } 0 .. $#heard;
my ($different, $worst_ns) = (0, 0);
my $start_ns = @in_time ? $in_time[0][0] - $expected[0][0] : 0;
for my $i (0 .. $#expected) {
    my ($want, $got) = ($expected[$i], $in_time[$i] // last);
    my $same = join("\0", map { @$_ } @{ $want->[1] }) eq join("\0", map { @$_ } @{ $got->[1] });
    diag "event $i\n     got " . readable($got->[1]) . "\nexpected " . readable($want->[1]) if !$same && !$different;
    $different++ if !$same;
    my $ns = abs($got->[0] - $start_ns - $want->[0]);
    $worst_ns = $ns if $ns > $worst_ns;
}
is $different, 0, 'they are the same events in the same order, to the last bit of every number';
SKIP: {
    skip 'the wall clock was set during the test', 1 if $stats->{clock_offset_ns} != $before->{clock_offset_ns};
    cmp_ok $worst_ns, '<=', 1000, "their time tags stand on dump's grid to 1 us ($worst_ns ns)";
}
is $d->stop, 0, 'the daemon ends with exit code 0';
ok !-e $d->socket, 'and leaves no socket behind';
done_testing();
