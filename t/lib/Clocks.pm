# Clocks: seven daemons in one emulated machine (t/lib/Guest.pm), each with another tempo, and when their MIDI left.
#
#   for my $c (Clocks::measure(20)) {  # seconds of the music
#       $c->{bpm};
#       $c->{clock}, $c->{notes};       # ns that each tick, each note came after its exact due time, in order
#       $c->{drift_ns};                 # how much later at the end than at the beginning, by the medians of a tenth each
#   }
#   Clocks::late($c->{clock}, 0.99)     # a quantile, in µs
#
# Due times are computed here, from the tempo and the start alone: tick i is 60/bpm/24 i seconds after it. The recorder is
# less urgent than the daemons and sees a message when all of them are done with what is due then.
package Clocks;
use strict;
use warnings;
use Guest;
use JSON::PP;

our @bpm = (60, 97.3, 120, 133.33, 150, 174.6, 300);
use constant { N => 4, NOTE_STEPS => 2, PORT => 57130 };

sub late { my ($late, $quantile) = @_; my @sorted = sort { $a <=> $b } @$late; return $sorted[ $quantile * $#sorted ] / 1000 }

sub _drift_ns {
    my @late = @_;
    my $tenth = int(@late / 10);
    return 1000 * (late([ @late[ -$tenth .. -1 ] ], 0.5) - late([ @late[ 0 .. $tenth - 1 ] ], 0.5));
}

sub measure {
    my ($seconds) = @_;
    my $stop_ns = $seconds * 1_000_000_000 + 2_000_000; # not when a tick is due: the performers end then, and are in the way
    my %file = (perform => "\@ 0 /oiduna/start\n! $stop_ns /oiduna/stop\n");
    for (0 .. $#bpm) {
        $file{"$_.json"} = encode_json({
            environment => { bpm => $bpm[$_], steps_per_beat => N },
            tracks_midi => { t => { channel => $_ } },
            sequences => { t => { length => 16, events => [ map { { step => NOTE_STEPS * $_, note => 60 + $_, gate => 0.5 } } 0 .. 7 ] } },
        });
    }
    my $out = Guest::run(files => \%file, devices => ['more'], fast => 1, seconds => 120 + 20 * $seconds, script => <<"SH" =~ s/PORT/PORT/egr =~ s/LAST/$#bpm/gr);
for i in \$(seq 0 LAST); do
    export XDG_RUNTIME_DIR=/run/\$i; mkdir \$XDG_RUNTIME_DIR
    port=\$((i / 4))-\$((i % 4))
    guest record /dev/snd/midiC\${port%-*}D\${port#*-} /raw/\$i &
    daemon \$i -s /files/\$i.json -o osc.listen=127.0.0.1:\$((PORT + i)) -o "destination.midi.port=VirMIDI \$port" -o destination.midi.clock=playing
done
performers=
for i in \$(seq 0 LAST); do guest perform \$((PORT + i)) /files/perform >/out/start.\$i & performers="\$performers \$!"; done
wait \$performers
sleep 1
SH
    return map { _judge($out, $_) } 0 .. $#bpm;
}

sub _judge {
    my ($out, $i) = @_;
    my ($start_ns) = ($out->{"start.$i"} // '') =~ /^(\d+)/ or die "no start:\n$out->{script}";
    my @taken = Guest::taken($out, $i);
    my @tick = map { $_->[0] - $start_ns } grep { $_->[1] eq 'f8' } @taken;
    my @note = map { $_->[0] - $start_ns } grep { $_->[1] =~ /^9/ } @taken;
    my $beat_ns = 60e9 / $bpm[$i];
    my @clock = map { $tick[$_] - $_ * $beat_ns / 24 } 0 .. $#tick;
    return {
        bpm => $bpm[$i],
        clock => \@clock,
        notes => [ map { $note[$_] - $_ * NOTE_STEPS * $beat_ns / N } 0 .. $#note ],
        drift_ns => _drift_ns(@clock),
    };
}

1;
