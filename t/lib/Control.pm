# Control: a client of the control socket that sees every line.
#
#   my $c = Control->new($path);
#   $c->say('bpm 128', 'status')->line;            # bare words, and the next line
#   $c->ask(bpm => [128], 'my id')->json;          # JSON-RPC, and the next line decoded
#   $c->notice('applied');                         # the parameters of the next notification of that name
package Control;
use strict;
use warnings;
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP;
use Time::HiRes qw(time);
use Wait;

sub new { my ($class, $path) = @_; my $s = IO::Socket::UNIX->new($path) or die "socket: $!"; return bless { socket => $s, buffer => '' }, $class }

sub say { my ($self, @lines) = @_; $self->{socket}->syswrite("$_\n") for @lines; return $self }

sub ask {
    my ($self, $method, $params, $id) = @_;
    return $self->say(encode_json({ jsonrpc => '2.0', id => $id // 1, method => $method, params => $params // [] }));
}

# A line, undef after so many seconds, or '' at the end.
sub line {
    my ($self, $seconds) = @_;
    my $end = time + ($seconds // patience());
    while (index($self->{buffer}, "\n") < 0) {
        my $left = $end - time;
        return if $left < 0 || !IO::Select->new($self->{socket})->can_read($left);
        return '' unless $self->{socket}->sysread($self->{buffer}, 65536, length $self->{buffer});
    }
    my $line = substr $self->{buffer}, 0, index($self->{buffer}, "\n") + 1, '';
    chomp $line;
    return $line;
}

sub json { my $line = $_[0]->line($_[1]); return defined $line && length $line ? decode_json($line) : undef }

sub notice {
    my ($self, $method, $seconds) = @_;
    while (my $j = $self->json($seconds)) { return $j->{params} if ($j->{method} // '') eq $method }
    return;
}

1;
