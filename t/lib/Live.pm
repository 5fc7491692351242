# Live: a daemon for a test, what it is told and what it sends.
#
#   my $d = Live->start('-o', 'engine.lookahead_ms=50');     # or skips all where io_uring is not allowed
#   $d->call('start');                                        # JSON-RPC on the control socket: the result
#   $d->osc('/oiduna/mute', s => 'kick', i => 1, s => 'id');  # a command by UDP
#   my @answer = $d->answer;                                  # address and arguments, () when none comes
#   $d->dirt                                                  # the socket that plays SuperDirt
#   is $d->stop, 0;
#   eventually(sub { … });                                    # true as soon as that is, false when patience ends
#
# How long a test waits is said here: patience() for what must come, which costs nothing when it comes; quiet() for the
# silence that is believed; slowness() is how much more time a sanitizer takes. A machine that is busy all the same must
# not fail a test.
#
# Everything is below a directory of its own, ports are free ones; the daemon is killed when the test dies.
package Live;
use strict;
use warnings;
use File::Temp qw(tempdir);
use Exporter 'import';
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX ();
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Test::More;
use Time::HiRes qw(time sleep);

our @EXPORT = qw(eventually);

my %running;
END { my $status = $?; for my $pid (keys %running) { kill KILL => $pid; waitpid $pid, 0; } $? = $status; }

sub slowness { return $ENV{OIDUNA_SANITIZER} ? 5 : 1 }
sub patience { return 60 * slowness() }
sub quiet { return 0.3 * slowness() }

sub eventually {
    my ($test) = @_;
    my $end = time + patience();
    until ($test->()) {
        return 0 if time > $end;
        sleep 0.05;
    }
    return 1;
}

sub binary { return $ENV{OIDUNA} || 'build/oiduna' }

sub start {
    my ($class, @options) = @_;
    my $self = bless { dir => tempdir(CLEANUP => 1), serial => 0, pending => [] }, $class;
    $ENV{XDG_CONFIG_HOME} = $ENV{XDG_RUNTIME_DIR} = $self->{dir};
    $self->{dirt} = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1', LocalPort => 0) or die "socket: $!";
    $self->{dirt}->setsockopt(SOL_SOCKET, SO_RCVBUF, 1 << 20);
    $self->{udp} = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1', LocalPort => 0) or die "socket: $!";
    $self->{udp}->setsockopt(SOL_SOCKET, SO_RCVBUF, 1 << 20);
    my @settings = ('-o', 'osc.listen=127.0.0.1:0', '-o', 'destination.superdirt.port=' . $self->{dirt}->sockport);
    $self->{pid} = fork // die "fork: $!";
    if (!$self->{pid}) {
        open STDERR, '>', "$self->{dir}/log" or POSIX::_exit(126);
        exec $class->binary, 'run', @settings, @options or POSIX::_exit(127);
    }
    $running{ $self->{pid} } = 1;
    $self->_await;
    return $self;
}

sub _await {
    my ($self) = @_;
    my $patience = time + patience();
    until (-S $self->socket && ($self->{control} = IO::Socket::UNIX->new($self->socket))) {
        my $gone = waitpid($self->{pid}, POSIX::WNOHANG()) == $self->{pid};
        delete $running{ $self->{pid} } if $gone;
        plan skip_all => 'io_uring is not allowed here: ' . $self->log if $gone && $self->log =~ /io_uring/;
        BAIL_OUT('the daemon does not start: ' . $self->log) if $gone || time > $patience;
        sleep 0.05;
    }
    $self->{port} = $self->call('stats')->{udp_port} or BAIL_OUT('the daemon does not tell its UDP port');
}

sub socket { return "$_[0]{dir}/oiduna/control" }
sub dirt { return $_[0]{dirt} }
sub pid { return $_[0]{pid} }
sub port { return $_[0]{port} }
sub dir { return $_[0]{dir} }

sub log {
    my ($self) = @_;
    open my $f, '<', "$self->{dir}/log" or return '';
    local $/;
    return <$f> // '';
}

# Ends it as systemd would; the exit status.
sub stop {
    my ($self) = @_;
    kill TERM => $self->{pid};
    waitpid $self->{pid}, 0;
    delete $running{ $self->{pid} };
    return $?;
}

# ---- the control socket --------------------------------------------------------------------------------------------

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
    my $patience = time + ($seconds // patience());
    while (time < $patience) {
        my $stats = $self->call('stats');
        return $stats if $test->($stats);
        sleep 0.05;
    }
    return;
}

# ---- OSC ------------------------------------------------------------------------------------------------------------

sub _padded { my ($s) = @_; return $s . "\0" x (4 - length($s) % 4) }

# address, then type => value …: i f s b T F t
sub message {
    my ($address, @arguments) = @_;
    my ($types, $data) = (',', '');
    while (my ($type, $value) = splice @arguments, 0, 2) {
        $types .= $type;
        $data .= pack 'l>', $value if $type eq 'i';
        $data .= pack 'f>', $value if $type eq 'f';
        $data .= pack 'Q>', $value if $type eq 't';
        $data .= _padded($value)   if $type eq 's';
        $data .= pack('N', length $value) . $value . "\0" x (-length($value) % 4) if $type eq 'b';
    }
    return _padded($address) . _padded($types) . $data;
}

sub send_raw { my ($self, $packet) = @_; return $self->{udp}->send($packet, 0, Socket::pack_sockaddr_in($self->{port}, Socket::inet_aton('127.0.0.1'))) }

sub osc { my ($self, @message) = @_; return $self->send_raw(message(@message)) }

sub _string {
    my ($packet, $at) = @_;
    my $s = unpack 'Z*', substr $$packet, $$at;
    $$at += (length($s) + 4) & ~3;
    return $s;
}

# address and [type, bytes or string] …
sub parse {
    my ($packet) = @_;
    my $at = 0;
    my $address = _string(\$packet, \$at);
    my $types = substr _string(\$packet, \$at), 1;
    my @values;
    for my $type (split //, $types) {
        if ($type eq 's') { push @values, [ s => _string(\$packet, \$at) ]; next; }
        my $len = $type =~ /[tdh]/ ? 8 : 4;
        push @values, [ $type, substr $packet, $at, $len ];
        $at += $len;
    }
    return ($address, @values);
}

# The same with the values as Perl's.
sub values_of {
    my ($address, @values) = parse($_[0]);
    return ($address, map { my ($t, $v) = @$_; $t eq 's' ? $v : $t eq 'i' ? unpack 'l>', $v : $t eq 'f' ? unpack 'f>', $v : unpack 'Q>', $v } @values);
}

# The next answer by UDP.
sub answer {
    my ($self, $seconds) = @_;
    return unless IO::Select->new($self->{udp})->can_read($seconds // patience());
    $self->{udp}->recv(my $packet, 65536);
    return values_of($packet);
}

# A bundle: its time tag as ns of the wall clock, its messages.
sub bundle {
    my ($packet) = @_;
    my ($head, $seconds, $fraction) = unpack 'Z8NN', $packet;
    die 'not a bundle' unless $head eq '#bundle';
    my $ns = ($seconds - 2208988800) * 1_000_000_000 + (($fraction * 1_000_000_000) >> 32);
    my ($at, @messages) = (16);
    while ($at < length $packet) {
        my $len = unpack 'N', substr $packet, $at, 4;
        push @messages, substr $packet, $at + 4, $len;
        $at += 4 + $len;
    }
    return ($ns, @messages);
}

# The next bundle for SuperDirt; () after that many seconds.
sub heard {
    my ($self, $seconds) = @_;
    my $patience = time + ($seconds // patience());
    while ((my $left = $patience - time) > 0) {
        next unless IO::Select->new($self->{dirt})->can_read($left);
        $self->{dirt}->recv(my $packet, 65536);
        return bundle($packet) if $packet =~ /^#bundle/;
    }
    return;
}

1;
