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
use File::Temp qw(tempdir);
use Guest;
use JSON::PP;
use Test::More;

my $why_not = Guest::why_not();
plan skip_all => $why_not if $why_not;
my $oiduna = $ENV{OIDUNA} || 'build/oiduna';
my $dir = tempdir(CLEANUP => 1);
$ENV{XDG_CONFIG_HOME} = $dir;
my $rate = 16000;

sub slurp {
    my ($path) = @_;
    open my $f, '<:raw', $path or die "$path: $!";
    local $/;
    return <$f>;
}

sub spew {
    my ($name, $text) = @_;
    open my $f, '>', "$dir/$name" or die "$dir/$name: $!";
    print $f $text;
    close $f or die;
}

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
    map { m{([^/]*\.rack)$} ? ("rack/$1" => slurp($_)) : () } glob "$FindBin::Bin/../conf/rack/*.rack",
);

# `daemon NAME OPTION…` runs one, its log in NAME.log; `record NAME FORMAT` takes what the card plays, the card having that
# format then; `finish NAME` ends both, the daemon's statistics in NAME.stats.
my $script = "rate=$rate\n" . <<'SH';
daemon() { n=$1; shift; oiduna run -o osc.listen=127.0.0.1:0 -o rack.patches=/files/rack -o rack.device=hw:Loopback,0 -o rack.rate=$rate -o rack.period=256 -o rack.periods=4 \
        -s /files/song.json "$@" >/out/$n.log 2>&1 & d=$!
    for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do oiduna ctl ping >/dev/null 2>&1 && break; sleep 0.2; done; }
record() { tape record hw:Loopback,1 $2 $rate /raw/$1 & r=$!; sleep 0.3; }
finish() { oiduna stats --json >/out/$1.stats; kill $d; wait $d; echo "$1 ended with $?"; kill $r; wait $r; }

record float float; daemon float; oiduna ctl start; sleep 3; finish float
record s32 s32; daemon s32; oiduna ctl start; sleep 1; finish s32
record s16 s16; daemon s16; oiduna ctl start; sleep 1; finish s16
SH
my $out = Guest::run(devices => ['loop'], files => \%file, script => $script, seconds => 300);

# ---- what came -----------------------------------------------------------------------------------------------------

sub stats { my ($name) = @_; return decode_json($out->{"$name.stats"} || '{}') }

# The samples that render writes, left and right in turn, as packed floats.
sub rendered {
    my ($steps) = @_;
    spew('song.json', $file{'song.json'});
    my $text = qx($oiduna render $dir/song.json --rate $rate --steps $steps -o $dir/song.wav 2>&1);
    is $?, 0, "$steps steps are rendered" or diag $text;
    my $wav = slurp("$dir/song.wav");
    my $at = index $wav, 'data';
    # the last steps are cut short, where another would follow
    return substr $wav, $at + 8, int(($steps - 4) * 60 / 140 / 16 * $rate) * 8;
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

sub silent_frames { my ($bytes, $n) = @_; return $bytes =~ /^((?:\0{$n})*)/s ? $+[0] / $n : 0 }

# What was recorded, from where the music begins.
sub taken {
    my ($name, $format) = @_;
    my $tape = $out->{$name} // '';
    return substr $tape, silent_frames($tape, $frame_bytes{$format}) * $frame_bytes{$format};
}

sub same {
    my ($got, $want, $bytes, $name) = @_;
    my ($frames) = (length($want) / $bytes);
    return if ok(length $got >= length $want && substr($got, 0, length $want) eq $want, "$name ($frames frames)");
    my $equal = 0;
    $equal++ while $equal < $frames && substr($got, $equal * $bytes, $bytes) eq substr($want, $equal * $bytes, $bytes);
    diag 'recorded are ', length($got) / $bytes, ", equal $equal of $frames frames";
}

my %steps = (float => 100, s32 => 32, s16 => 32);
for my $format (qw(float s32 s16)) {
    my $stats = stats($format);
    my $want = $as{$format}->(rendered($steps{$format}));
    $want = substr $want, silent_frames($want, $frame_bytes{$format}) * $frame_bytes{$format};
    cmp_ok(unpack('%32C*', $want), '>', 10000, 'there is something to be heard');
    same(taken($format, $format), $want, $frame_bytes{$format}, "a card that takes $format plays what render writes, bit for bit");
    is($stats->{$_} // 'not there', 0, "$format: $_ is 0") for qw(rack_xruns rack_resyncs rack_late rack_lost_cards);
    is($stats->{rack_card}, 1, 'the card is there');
    like($out->{script}, qr/^$format ended with 0$/m, 'and the daemon ends');
}

diag $out->{script}, map { "$_:\n$out->{$_}" } grep { /\.log$/ } sort keys %$out unless Test::More->builder->is_passing;
done_testing();
