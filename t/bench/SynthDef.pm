# SynthDef: SuperCollider's definition files and scores, byte for byte as sclang writes them, so that the bench needs no
# language and no display. Sources: "Synth Definition File Format" and "Non-Realtime Synthesis" of SuperCollider's help.
package SynthDef;
use strict;
use warnings;

use constant { CONTROL => 1, AUDIO => 2 };
my %BINARY = ('*' => 2, '**' => 25);

# A definition with controls: pairs of a name and a default.
sub new
{
    my ($class, $name, @controls) = @_;
    my $self = bless { name => $name, constants => [], ugens => [], names => [], defaults => [] }, $class;
    while (my ($control, $value) = splice @controls, 0, 2) {
        push @{ $self->{names} }, $control;
        push @{ $self->{defaults} }, $value;
    }
    $self->ugen('Control', CONTROL, [], scalar @{ $self->{names} }) if @{ $self->{names} };
    return $self;
}

# The signal of a control.
sub control
{
    my ($self, $name) = @_;
    my ($i) = grep { $self->{names}[$_] eq $name } 0 .. $#{ $self->{names} };
    return [0, $i];
}

sub constant
{
    my ($self, $value) = @_;
    my ($i) = grep { $self->{constants}[$_] == $value } 0 .. $#{ $self->{constants} };
    ($i) = (push(@{ $self->{constants} }, $value) - 1) unless defined $i;
    return pack 'l> l>', -1, $i;
}

# Adds a unit generator; its inputs are signals, which this returns, or numbers.
sub ugen
{
    my ($self, $name, $rate, $inputs, $outputs, $special) = @_;
    my $bytes = pack 'C/a* C l> l> s>', $name, $rate, scalar @$inputs, $outputs, $special // 0;
    $bytes .= ref $_ ? pack 'l> l>', @$_ : $self->constant($_) for @$inputs;
    $bytes .= pack('C', $rate) x $outputs;
    push @{ $self->{ugens} }, $bytes;
    return [$#{ $self->{ugens} }, 0];
}

sub binary
{
    my ($self, $rate, $a, $operator, $b) = @_;
    return $self->ugen('BinaryOpUGen', $rate, [$a, $b], 1, $BINARY{$operator});
}

# EnvGen of Env.adsr with SuperCollider's curve of -4, the gate held open.
sub adsr
{
    my ($self, $rate, $attack, $decay, $sustain, $release) = @_;
    my @stages = map { ($_->[0], $_->[1], 5, -4) } [1, $attack], [$sustain, $decay], [0, $release];
    return $self->ugen('EnvGen', $rate, [1, 1, 0, 1, 0, 0, 3, 2, -99, @stages], 1);
}

sub bytes
{
    my ($self) = @_;
    my $bytes = pack 'a4 l> s> C/a*', 'SCgf', 2, 1, $self->{name};
    $bytes .= pack 'l> (f>)*', scalar @{ $self->{constants} }, @{ $self->{constants} };
    $bytes .= pack 'l> (f>)*', scalar @{ $self->{defaults} }, @{ $self->{defaults} };
    $bytes .= pack 'l>', scalar @{ $self->{names} };
    $bytes .= pack 'C/a* l>', $self->{names}[$_], $_ for 0 .. $#{ $self->{names} };
    $bytes .= pack 'l>', scalar @{ $self->{ugens} };
    return $bytes . join('', @{ $self->{ugens} }) . pack 's>', 0;
}

# ---- scores ----------------------------------------------------------------------------------------------------

sub padded
{
    my ($text) = @_;
    return $text . "\0" x (4 - length($text) % 4);
}

# An OSC message: its address, then pairs of a type (i f s b) and a value.
sub message
{
    my ($address, @arguments) = @_;
    my ($types, $bytes) = (',', '');
    while (my ($type, $value) = splice @arguments, 0, 2) {
        $types .= $type;
        $bytes .= pack 'l>', $value if $type eq 'i';
        $bytes .= pack 'f>', $value if $type eq 'f';
        $bytes .= padded($value) if $type eq 's';
        $bytes .= pack('N', length $value) . $value . "\0" x (-length($value) % 4) if $type eq 'b';
    }
    return padded($address) . padded($types) . $bytes;
}

# A bundle of a score, at so many seconds, with its length before it.
sub at
{
    my ($second, @messages) = @_;
    my $bytes = "#bundle\0" . pack 'N N', int $second, ($second - int $second) * 2**32;
    $bytes .= pack('N', length) . $_ for @messages;
    return pack('N', length $bytes) . $bytes;
}

1;
