# Live: a daemon for a test, what is asked of it and what it sends.
#
#   my $d = Live->start('-o', 'engine.lookahead_ms=50');     # or skips all where io_uring is not allowed
#   $d->call('start');                                        # JSON-RPC on the control socket: the result
#   $d->osc('/oiduna/mute', s => 'kick', i => 1, s => 'id');  # a command by UDP
#   my @answer = $d->answer;                                  # address and arguments, () when none comes
#   $d->dirt                                                  # the socket that plays SuperDirt
#   is $d->stop, 0;
#
# Everything is below a directory of its own, ports are free ones; the daemon is killed when the test dies.
package Live;
use strict;
use warnings;
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use OSC;
use POSIX ();
use Program ();
use Scratch;
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;
use Time::HiRes qw(time sleep);
use Wait;

sub start {
    my ($class, @options) = @_;
    my $self = bless { dir => tempdir(CLEANUP => 1), serial => 0, pending => [] }, $class;
    $ENV{XDG_CONFIG_HOME} = $ENV{XDG_RUNTIME_DIR} = $self->{dir};
    $self->{dirt} = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1', LocalPort => 0) or die "socket: $!";
    $self->{dirt}->setsockopt(SOL_SOCKET, SO_RCVBUF, 1 << 20);
    $self->{udp} = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1', LocalPort => 0) or die "socket: $!";
    $self->{udp}->setsockopt(SOL_SOCKET, SO_RCVBUF, 1 << 20);
    my @settings = ('-o', 'osc.listen=127.0.0.1:0', '-o', 'destination.superdirt.port=' . $self->{dirt}->sockport);
    $self->{pid} = Program::start({ err => "$self->{dir}/log" }, Program::oiduna(), 'run', @settings, @options);
    $self->_await;
    return $self;
}

sub _await {
    my ($self) = @_;
    my $end = time + patience();
    until (-S $self->socket && ($self->{control} = IO::Socket::UNIX->new($self->socket))) {
        my $gone = waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid};
        plan skip_all => 'io_uring is not allowed here: ' . $self->log if $gone && $self->log =~ /io_uring/;
        BAIL_OUT('the daemon does not start: ' . $self->log) if $gone || time > $end;
        sleep 0.05;
    }
    $self->{port} = $self->call('stats')->{udp_port} or BAIL_OUT('the daemon does not tell its UDP port');
}

sub socket { return "$_[0]{dir}/oiduna/control" }
sub dirt { return $_[0]{dirt} }
sub pid { return $_[0]{pid} }
sub port { return $_[0]{port} }
sub dir { return $_[0]{dir} }

sub log { return slurp_if_there("$_[0]{dir}/log") }

# Ends it as systemd would; the exit status.
sub stop { return Program::end($_[0]{pid}, 'TERM') }

# The whole answer: {result} or {error}; notifications are kept for `notification`.
sub request {
    my ($self, $method, $params) = @_;
    my $id = ++$self->{serial};
    my $socket = $self->{control};
    print {$socket} encode_json({ jsonrpc => '2.0', id => $id, method => $method, params => $params // [] }), "\n";
    $socket->flush;
    while (my $line = <$socket>) {
        my $answer = decode_json($line);
        return $answer if defined $answer->{id} && $answer->{id} == $id;
        push @{ $self->{pending} }, $answer;
    }
    die 'the daemon hung up';
}

sub call {
    my ($self, $method, $params) = @_;
    my $answer = $self->request($method, $params);
    Test::More::diag("$method: " . encode_json($answer->{error})) if $answer->{error};
    return $answer->{result};
}

# Waits until `stats` says so: $test is given the statistics.
sub until_stats {
    my ($self, $test, $seconds) = @_;
    my $end = time + ($seconds // patience());
    while (time < $end) {
        my $stats = $self->call('stats');
        return $stats if $test->($stats);
        sleep 0.05;
    }
    return;
}

sub send_raw { my ($self, $packet) = @_; return $self->{udp}->send($packet, 0, Socket::pack_sockaddr_in($self->{port}, Socket::inet_aton('127.0.0.1'))) }

sub osc { my ($self, @message) = @_; return $self->send_raw(osc_message(@message)) }

# The next answer by UDP.
sub answer {
    my ($self, $seconds) = @_;
    return unless IO::Select->new($self->{udp})->can_read($seconds // patience());
    $self->{udp}->recv(my $packet, 65536);
    return osc_values($packet);
}

# The next bundle for SuperDirt; () after that many seconds.
sub heard {
    my ($self, $seconds) = @_;
    my $end = time + ($seconds // patience());
    while ((my $left = $end - time) > 0) {
        next unless IO::Select->new($self->{dirt})->can_read($left);
        $self->{dirt}->recv(my $packet, 65536);
        return osc_unbundle($packet) if $packet =~ /^#bundle/;
    }
    return;
}

1;
