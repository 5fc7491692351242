#!/usr/bin/perl
# The rack through a real sound card's driver, which a build machine has not: the daemon plays in an emulated machine
# (t/lib/Guest.pm) to a card that is a loop (snd-aloop), and what comes out at its other end is compared with what
# `oiduna render` writes.
#
# The card's clock ticks every 4 ms, hence the long periods; the rate is low, because every frame is paid by emulation.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Cwd qw(abs_path);
use Guest;
use JSON::PP;
use Program qw(oiduna);
use Scratch;
use Test::More;
use TimeLimit seconds => 1200;
use Wav;

my $why_not = Guest::why_not();
plan skip_all => $why_not if $why_not;
my $oiduna = oiduna();
my $dir = scratch();
my $rate = 8000;

# ---- what is played ------------------------------------------------------------------------------------------------

# Something sounds all the time: a gap is seen wherever it is.
my %file = (
    'song.json' => '{"environment":{"bpm":140,"swing":0.3},"tracks":{'
        . '"kick":{"destination":"rack","params":{"s":"bd"}},'
        . '"bass":{"destination":"rack","params":{"s":"acid"},"track_fx":{"cutoff":900,"resonance":0.4}},'
        . '"pad":{"destination":"rack","params":{"s":"pad","orbit":1},"fx":{"room":0.4,"size":0.7}}},"sequences":{'
        . '"kick":{"length":16,"events":[{"step":0},{"step":10,"offset_ms":3.3}]},'
        . '"bass":{"length":16,"events":[{"step":3,"note":36,"gate":2},{"step":7,"note":43,"gate":3,"velocity":0.8}]},'
        . '"pad":{"length":64,"events":[{"step":0,"note":60,"gate":60},{"step":0,"note":67,"gate":60}]}}}',
    'ticks.json' => encode_json({ environment => { bpm => 120 }, tracks => { tick => { destination => 'rack', params => { s => 'rim' } } },
        sequences => { tick => { events => [ map { { step => 8 * $_, note => 60 + $_ } } 0 .. 31 ] } } }),
    map { m{([^/]*\.rack)$} ? ("rack/$1" => slurp($_)) : () } glob "$FindBin::Bin/../conf/rack/*.rack",
);

# `daemon NAME OPTION…` runs one, its log in NAME.log; `record NAME FORMAT` takes what the card plays, the card having that
# format then; `stats NAME` leaves the daemon's in NAME.stats; `finish NAME` does the same and ends both.
my $script = "rate=$rate\n" . <<'SH';
daemon() { n=$1; shift; oiduna run -o osc.listen=127.0.0.1:0 -o rack.patches=/files/rack -o rack.device=hw:Loopback,0,0 -o rack.rate=$rate -o rack.period=128 -o rack.periods=4 \
        -s /files/song.json "$@" >/out/$n.log 2>&1 & d=$!
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do oiduna ctl ping >/dev/null 2>&1 && break; sleep 0.2; done; }
record() { tape record hw:Loopback,1,0 $2 $rate /raw/$1 & r=$!; sleep 0.3; }
stats() { oiduna stats --json >/out/$1.stats; }
finish() { stats $1; kill $d; wait $d; echo "$1 ended with $?"; kill $r; wait $r; }

# a stall of all the daemon
record float float; daemon float -o engine.drop_after_ms=60000; oiduna ctl start; sleep 2.5; stats float
kill -STOP $d; sleep 0.4; kill -CONT $d; sleep 0.8
finish stall

# the device goes and comes back
record s32 s32; daemon s32; oiduna ctl start; sleep 1; stats s32
cd /sys/bus/platform/drivers/snd_aloop; echo snd_aloop.0 >unbind; sleep 1; oiduna ctl destinations; echo snd_aloop.0 >bind; cd /
wait $r; record back float; sleep 1.5
finish gone

# another program has the device
tape hold hw:Loopback,0,0 & h=$!
sleep 0.3; record s16 s16; daemon s16; oiduna ctl start; sleep 0.7; kill $h; sleep 1.5
finish s16

# more is held by the card than is looked ahead
record deep s16; daemon deep -o rack.period=1024; oiduna ctl start; sleep 2.3
finish deep

# the card's clock is 0.5 % fast, then slow
pitch() { amixer -q -c Loopback cset iface=PCM,name='PCM Rate Shift 100000',device=1 $1; }
record drift float; daemon drift -s /files/ticks.json -o record.dir=/raw; sleep 0.1; oiduna ctl start; sleep 1
oiduna ctl record/start recorded; pitch 99500; sleep 2.5; pitch 100500; sleep 2.5; oiduna ctl record/stop; sleep 0.3
finish drift
pitch 100000

audio_contract hw:Loopback,0,0 /files/rack >/out/contract 2>&1
SH
my $contract = abs_path($oiduna) =~ s{[^/]*$}{t/audio_contract}r;
my $out = Guest::run(devices => ['loop'], programs => [$contract], files => \%file, script => $script, seconds => 600);

# ---- what came -----------------------------------------------------------------------------------------------------

sub stats { my ($name) = @_; return decode_json($out->{"$name.stats"} || '{}') }

# The samples that render writes, left and right in turn, as packed floats: of more than is played.
sub rendered {
    spew('song.json', $file{'song.json'});
    my $text = qx($oiduna render $dir/song.json --rate $rate --steps 300 -o $dir/song.wav 2>&1);
    is $?, 0, 'the song is rendered' or diag $text;
    return wav_data(slurp("$dir/song.wav"));
}

# The same in the format of a card; each product and sum is a float, as the daemon's are.
my %as = (
    float => sub { $_[0] },
    s32 => sub { pack 'l<*', map { int $_ * 0x7fffffff } map { $_ > 1 ? 1 : $_ < -1 ? -1 : $_ } unpack 'f<*', $_[0] },
    s16 => sub {
        my @scaled = unpack 'f<*', pack 'f<*', map { ($_ > 1 ? 1 : $_ < -1 ? -1 : $_) * 0x7fff } unpack 'f<*', $_[0];
        return pack 's<*', map { int } unpack 'f<*', pack 'f<*', map { $_ + ($_ < 0 ? -0.5 : 0.5) } @scaled;
    },
);
my %frame_bytes = (float => 8, s32 => 8, s16 => 4);

# What was recorded, as pieces between silences of more than 8 ms: [first frame, the one after the last].
sub pieces {
    my ($tape, $bytes) = @_;
    my @pieces;
    my $frames = length($tape) / $bytes;
    for (my $at = 0; $at < $frames;) {
        my $zero = substr($tape, $at * $bytes) =~ /^((?:\0{$bytes})*)/s ? $+[0] / $bytes : 0;
        push @pieces, [ $at, $at ] if $at + $zero < $frames && (!@pieces || $zero > $rate / 125);
        $pieces[-1] = [ $pieces[-1][0] == $at ? $at + $zero : $pieces[-1][0], $at + $zero ] if $at + $zero < $frames;
        $at += $zero;
        last if $at >= $frames;
        my ($sound) = substr($tape, $at * $bytes) =~ /^((?:(?!\0{$bytes}).{$bytes})+)/s;
        $at += length($sound) / $bytes;
        $pieces[-1][1] = $at;
    }
    return @pieces;
}

# Where in $all the bytes are, as a frame.
sub place {
    my ($all, $some, $bytes) = @_;
    my $at = index $all, $some;
    $at = index $all, $some, $at + 1 while $at > 0 && $at % $bytes;
    return $at < 0 ? undef : $at / $bytes;
}

# A piece of a tape equals the song, but for what is faded in at its beginning and, where the card ended it, for the last
# tick of its clock. Returns the frame of the tape with which the song would begin.
my $fade = 2 * 64;
my $song = rendered();
sub follows_the_song {
    my ($name, $format, $piece, $cut, $test) = @_;
    my ($bytes, $tape, $want) = ($frame_bytes{$format}, $out->{$name} // '', $as{$format}->($song));
    my ($from, $to) = $piece ? ($piece->[0] + $fade, $piece->[1] - ($cut ? $rate / 125 : 0)) : (0, 0);
    my $at = $to - $from > $rate / 4 ? place($want, substr($tape, $from * $bytes, 64 * $bytes), $bytes) : undef;
    ok(defined $at, "$test: it is the song") or return 0;
    my $equal = 0;
    $equal++ while $from + $equal < $to
        && substr($tape, ($from + $equal) * $bytes, $bytes) eq substr($want, ($at + $equal) * $bytes, $bytes);
    is($equal, $to - $from, "$test: bit for bit");
    return $from - $at;
}

# The time at which a frame of a tape was heard, in ms.
sub heard_ms {
    my ($name, $frame) = @_;
    my ($before, $after);
    for (map { [split] } split /\n/, $out->{"$name.times"} // '') {
        $before = $_ if $_->[0] <= $frame;
        $after = $_, last if $_->[0] > $frame && $before;
    }
    return 0 unless $after;
    return ($before->[1] + ($frame - $before->[0]) * ($after->[1] - $before->[1]) / ($after->[0] - $before->[0])) / 1e6;
}

sub counts {
    my ($name, %want) = @_;
    my $stats = stats($name);
    %want = ((map { $_ => 0 } qw(rack_xruns rack_resyncs rack_late rack_lost_cards)), rack_card => 1, %want);
    is(join(', ', map { "$_ " . ($stats->{$_} // 'not there') } sort keys %want), join(', ', map { "$_ $want{$_}" } sort keys %want),
        "$name: what is counted");
    return $stats;
}

# ---- all is well
my @float = pieces($out->{float}, 8);
my $begins = follows_the_song('float', 'float', $float[0], 1, 'a card that takes float');
is($begins, $float[0][0], 'from its first frame on');
cmp_ok($float[0][1] - $float[0][0], '>', 2 * $rate, 'for more than two seconds without a gap');
counts('float');

# ---- the daemon stood still for 0.4 s
is(scalar @float, 2, 'where the daemon stands still there is a gap, and one only');
my $again = follows_the_song('float', 'float', $float[1], 0, 'after it');
cmp_ok(abs($again - $begins), '<=', $rate / 1000, 'in the place where it would have been without: ' . ($again - $begins) . ' frames off');
cmp_ok(($float[1][0] - $float[0][1]) / $rate, '<', 0.6, 'the gap is hardly longer than the stall');
my $xruns = stats('stall')->{rack_xruns} // 0;
ok($xruns > 0 && $xruns < 4, "xruns are counted: $xruns");
counts('stall', rack_xruns => $xruns);

# ---- the device goes and comes back
my @s32 = pieces($out->{s32}, 8);
my @back = pieces($out->{back}, 8);
$begins = follows_the_song('s32', 's32', $s32[0], 1, 'a card that takes 32 bits');
counts('s32');
is(scalar @s32, 1, 'without a gap until it is pulled');
$again = follows_the_song('back', 'float', $back[0], 0, 'the card is back, with another format');
cmp_ok(abs(heard_ms('back', $back[0][0]) - heard_ms('s32', $s32[0][0]) - ($back[0][0] - $again) * 1000 / $rate), '<', 5,
    'the music has gone on meanwhile');
counts('gone', rack_lost_cards => 1);
like($out->{script}, qr/rack \(rack\) at hw:Loopback,0,0 \(unavailable\)/, 'that it is not there can be seen');
like($out->{'s32.log'} // '', qr/is gone; the rack plays on unheard\n.*no such device.*tries again every second\n.*plays to the sound card/s, 'and is told');

# ---- another program had the device
my @s16 = pieces($out->{s16}, 4);
my $late = follows_the_song('s16', 's16', $s16[0], 0, 'a card that takes 16 bits, and was taken');
cmp_ok($s16[0][0] - $late, '>', $rate / 2, 'is played to when it is free, in the middle of the song');
counts('s16');
like($out->{'s16.log'} // '', qr/in use by another program; the rack plays unheard and tries again every second\n.*plays to the sound card/s, 'which is told');

# ---- the card's buffer is longer than the look-ahead
my @deep = pieces($out->{deep}, 4);
$begins = follows_the_song('deep', 's16', $deep[0], 0, 'a card that holds more than is looked ahead');
is($begins, $deep[0][0], 'from its first frame on, late as a whole');
counts('deep');
like($out->{'deep.log'} // '', qr/heard \d+ ms late until the next start.*raise that, or lower rack\.period/, 'which is told');

# ---- the card's clock is fast and slow
my $recorded = wav_data($out->{'recorded.wav'} // '');
my $tape = $out->{drift} // '';
my $first = $recorded =~ /^((?:\0{8})*)/s ? $+[0] : 0;
my $at = place($tape, substr($recorded, $first, 512), 8);
my $both = defined $at ? length($tape) - $at * 8 : 0;
$both = length($recorded) - $first if length($recorded) - $first < $both;
cmp_ok($both / 8 / $rate, '>', 4.5, 'a card whose clock is 0.5 % off is played to');
ok(defined $at && substr($tape, $at * 8, $both) eq substr($recorded, $first, $both), 'without a frame too many or too few');
my @off;
my $quiet = 0;
my @frames = unpack 'f<*', $tape;
for my $frame (0 .. $#frames / 2) {
    my $sounds = abs $frames[ 2 * $frame ] > 1e-3;
    push @off, heard_ms('drift', $frame) - 250 * @off if $sounds && $quiet > $rate / 10;
    $quiet = $sounds ? 0 : $quiet + 1;
}
my $begin = ($off[0] + $off[1] + $off[2] + $off[3]) / 4; # where they were while the clock was right
my ($least, $most) = (sort { $a <=> $b } map { $_ - $begin } @off)[ 0, -1 ];
cmp_ok(scalar @off, '>', 20, 'events are heard');
ok($least > -6 && $most < 6, sprintf 'at most 6 ms from where they should be (%.1f … %.1f)', $least, $most);
my $resyncs = stats('drift')->{rack_resyncs} // 0;
cmp_ok($resyncs, '>', 3, "for the rack is set right again and again: $resyncs");
counts('drift', rack_resyncs => $resyncs);

is(join(' ', $out->{script} =~ /ended with (\d+)/g), '0 0 0 0 0', 'all daemons end as they should');

# ---- the audio thread's contract
my $proof = $out->{contract} // '';
ok($proof =~ /^1\.\.7$/m && $proof !~ /^not ok/m && $proof =~ /^ok \d+ - no system call but clock_nanosleep, ioctl and poll$/m,
    'with a card the audio thread makes no other system call, allocates nothing, touches no new page') or diag $proof;
diag $proof =~ /(\d+ notes.*)/ if $ENV{TEST_VERBOSE};

diag $out->{script}, map { "$_:\n$out->{$_}" } grep { /\.log$/ } sort keys %$out unless Test::More->builder->is_passing;
done_testing();
