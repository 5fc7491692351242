#!/usr/bin/perl
# A document of 8 MiB is decoded beside the music: it is answered, and no step suffers. So is one that is too large.
# The precise figure is printed; a shared machine is not held to it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Live;
use Test::More;
use TimeLimit;

my $d = Live->start('-o', 'engine.lookahead_ms=500', '-o', 'engine.drop_after_ms=5000');
ok $d->call('session', { file => "$FindBin::Bin/golden/trio/session.json" }), 'a session plays';
ok $d->call('start'), 'and rolls';

# 8 MiB less a little: tracks with a full sequence and two signals each, and an unknown scene, so that all is read
# before it is refused
sub document {
    my ($bytes) = @_;
    my $signal = '{"signal":[' . join(',', map { sprintf '%.4f', sin $_ / 9 } 0 .. 255) . ']}';
    my $events = join ',', map {qq({"step":$_,"velocity":0.5,"note":60,"gate":1.5})} 0 .. 255;
    my (@tracks, @sequences, $total, $n);
    until (($total += length($signal) * 2 + length($events) + 120) > $bytes) {
        my $id = 't' . ++$n;
        push @tracks, qq("$id":{"params":{"s":"bd"},"modulations":{"gain":$signal,"pan":$signal}});
        push @sequences, qq("$id":{"events":[$events]});
    }
    return '{"apply":{"scene_name":"none"},"tracks":{' . join(',', @tracks) . '},"sequences":{' . join(',', @sequences) . '}}';
}

sub submit {
    my ($text) = @_;
    open my $f, '>', $d->dir . '/large.json' or die $!;
    print $f $text;
    close $f;
    return $d->request('session', { file => $d->dir . '/large.json' });
}

my $large = document((8 << 20) - 20000);
cmp_ok length $large, '>', 7_800_000, 'a document of ' . length($large) . ' bytes';
for my $time (1 .. 3) {
    my $answer = submit($large);
    is $answer->{error}{data}{path}, 'apply.scene_name', "time $time: read to the end and answered";
}
my $answer = submit($large . ' ' x (1 << 20));
ok $answer->{error}, 'a larger one is refused';
like $answer->{error}{message}, qr/8388608/, 'with the limit: ' . ($answer->{error}{message} // '');
my $stats = $d->call('stats');
is $stats->{dropped_steps}, 0, 'no step was dropped';
is $stats->{state}, 'playing', 'the music goes on';
diag sprintf 'decoding took %.0f ms; tick p99.9 %.3f ms, late steps %d', $stats->{decode_time_max} / 1e6,
    $stats->{tick_time}{total}{p999} / 1e6, $stats->{late_steps};
is $d->stop, 0, 'the daemon ends cleanly';
done_testing();
