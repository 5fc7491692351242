#!/usr/bin/perl
# The statistics of a daemon that does something countable: each counter moves by as much as was done. And every counter that
# there is is read by some test, so that a new one is not forgotten.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use IO::Select;
use JSON::PP;
use Live;
use OSC;
use Program;
use Scratch;
use Test::More;
use Time::HiRes qw(sleep);
use TimeLimit;
use Wait;

my $d = Live->start('-o', 'engine.lookahead_ms=1000', '-o', 'engine.drop_after_ms=60000', '-o', 'engine.steps_per_beat=4');
sub stats { return $d->call('stats') }
sub superdirt { my ($stats) = @_; return (grep { $_->{name} eq 'superdirt' } @{ $stats->{destinations} })[0] }

# Something is done, and each counter moves by so much; an answer may be heard before it is counted.
sub moves {
    my ($deed, $want, $name) = @_;
    my ($before, $moved) = (stats());
    my $read = sub { my $now = stats(); $moved = { map { $_ => $now->{$_} - $before->{$_} } keys %$want } };
    $deed->();
    eventually(sub { $read->(); return !grep { $moved->{$_} < $want->{$_} } keys %$want });
    return is_deeply($moved, $want, $name);
}

sub session {
    my ($name, $tracks, $events) = @_;
    my @ids = map { "t$_" } 1 .. $tracks;
    return {
        name => $name, apply => { timing => 'now' }, environment => { bpm => 240 },
        tracks => { map { $_ => { params => { s => 'bd' } } } @ids },
        sequences => { map { $_ => { length => 16, events => [ map { { step => $_ } } 0 .. $events - 1 ] } } @ids },
    };
}

# ---- submissions -----------------------------------------------------------------------------------------------------
moves(sub { $d->call(session => session('small', 2, 3)) }, { sessions_submitted => 1, sessions_accepted => 1, sessions_rejected => 0 }, 'a session is counted');
my $small = $d->until_stats(sub { $_[0]{session} eq 'small' && $_[0]{sessions_applied} == 1 });
is $small->{session_events}, 6, 'its events';
$d->call(session => session('large', 200, 16));
my $large = $d->until_stats(sub { $_[0]{session} eq 'large' });
is $large->{session_events}, 3200, 'and those of the next';
cmp_ok $large->{session_bytes}, '>', 3000 + $small->{session_bytes}, 'which takes more memory';
cmp_ok $large->{decode_time_last}, '>', $small->{decode_time_last}, 'decode_time_last: and more time to decode';
cmp_ok $large->{compile_time_last}, '>', $small->{compile_time_last}, 'compile_time_last: and to compile';
$d->call(session => session('small', 2, 3));
my $again = $d->until_stats(sub { $_[0]{session} eq 'small' });
cmp_ok $again->{decode_time_last}, '<', $again->{decode_time_max}, 'decode_time_max: that of the slowest stays';
cmp_ok $again->{compile_time_last}, '<', $again->{compile_time_max}, 'compile_time_max: the same';
moves(sub { $d->request(session => { tracks => 5 }) }, { sessions_submitted => 1, sessions_accepted => 0, sessions_rejected => 1 }, 'a wrong one is counted as rejected');

# ---- commands and answers --------------------------------------------------------------------------------------------
sub tempo { my ($bpm) = @_; $d->osc('/oiduna/bpm', f => $bpm, s => 'id'); return $d->answer }
moves(sub { tempo(240) for 1 .. 10 }, { commands => 10, commands_refused => 0, answers_sent => 10, datagrams_received => 10 }, 'commands by OSC and their answers');
moves(sub { tempo(5000) for 1 .. 3 }, { commands => 0, commands_refused => 3, answers_sent => 3 }, 'those that the engine refuses');
moves(sub { $d->call(bpm => [240]) }, { commands => 1, answers_sent => 0 }, 'one by the control socket');

# ---- the music -------------------------------------------------------------------------------------------------------
# What is counted as sent is what arrives: in messages, datagrams and bytes.
my ($messages, $datagrams, $bytes) = (0, 0, 0);
sub listen_to_all {
    while (IO::Select->new($d->dirt)->can_read(quiet)) {
        $d->dirt->recv(my $packet, 65536);
        next unless $packet =~ /^#bundle/;
        my (undef, @messages) = osc_unbundle($packet);
        ($messages, $datagrams, $bytes) = ($messages + @messages, $datagrams + 1, $bytes + length $packet);
    }
}
my $before = stats();
$d->call('start');
$d->until_stats(sub { $_[0]{steps} >= $before->{steps} + 64 });
$d->call('stop');
listen_to_all();
my $after = stats();
my $sent = superdirt($after);
cmp_ok $messages, '>=', 4 * 6, 'there was something to be heard';
is $sent->{messages} - superdirt($before)->{messages}, $messages, 'messages';
is $sent->{datagrams} - superdirt($before)->{datagrams}, $datagrams, 'datagrams';
is $sent->{bytes} - superdirt($before)->{bytes}, $bytes, 'bytes';
is $after->{events} - $before->{events}, $messages, 'events';
cmp_ok $after->{ticks} - $before->{ticks}, '>=', 16, 'ticks';
is $after->{dropped_steps}, 0, 'dropped_steps: none';
cmp_ok $after->{tick_time_total}, '>', $before->{tick_time_total}, 'tick_time_total grows';
cmp_ok $after->{tick_time_max} * $after->{ticks}, '>=', $after->{tick_time_total}, 'tick_time_max: no tick is longer';
is $d->stop, 0, 'the daemon ends cleanly';

# ---- none is forgotten -----------------------------------------------------------------------------------------------
# A test reads a counter by its name: in C as a member, in Perl as a key or a word in quotes.
my %tables = ('engine/stats.h' => [qw(STATS_COUNTERS STATS_DEST_COUNTERS)], 'engine/rack/rack.h' => ['RACK_COUNTERS'], 'io/audio/audio.h' => ['AUDIO_COUNTERS']);
my $c = join '', map { slurp($_) } grep { !m{/report\.c$} } glob 't/unit/*.c';
my $perl = join '', map { slurp($_) =~ s/^\s*#.*//mgr } glob 't/*.t';
for my $file (sort keys %tables) {
    for my $table (@{ $tables{$file} }) {
        my ($rows) = slurp($file) =~ s/\\\n\s*/ /gr =~ /^#define $table\(\w+\)(.*)$/m;
        my @names = ($rows // '') =~ /\bCOUNTER\((\w+),/g;
        cmp_ok scalar @names, '>', 4, "$table has rows";
        my @unread = grep { $c !~ /[.>]$_\b/ && $perl !~ /\{$_\}|'$_'|\b$_ =>|qw\([^)]*\b$_\b/ } @names;
        is "@unread", '', "$table: every counter is read by a test";
    }
}
done_testing();
