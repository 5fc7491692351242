# Program: oiduna and other programs, run to their end or in the background.
#
#   my ($code, $out, $err) = run(oiduna(), 'check', $file);     # one word alone is a line for the shell
#   my ($code, $out, $err) = run_with_input($text, @command);
#   my ($text, $code) = said($line);                            # both outputs of a shell's line
#   my $pid = start({ out => $path, err => $path, env => { NAME => 'value' } }, @command);
#   my $status = end($pid, 'TERM');                             # $?; what was started is killed when the test ends
#   for my $line (dumped("a.json --loops 2")) { … }             # the lines of `oiduna dump`, decoded
#
# The code is the exit code, or the number of the signal that ended the program.
package Program;
use strict;
use warnings;
use Exporter 'import';
use File::Temp;
use JSON::PP;
use POSIX ();
use Scratch;

our @EXPORT = qw(dumped end oiduna run run_with_input said start);

my $owner = $$;
my %running;
END {
    if ($$ == $owner) {
        my $status = $?;
        for my $pid (keys %running) { kill KILL => $pid and waitpid $pid, 0 if !waitpid $pid, POSIX::WNOHANG(); }
        $? = $status;
    }
}

sub oiduna { return $ENV{OIDUNA} || 'build/oiduna' }

sub start {
    my ($to, @command) = @_;
    my $pid = fork // die "fork: $!";
    if (!$pid) {
        open STDIN, '<', $to->{in} or POSIX::_exit(126) if $to->{in};
        open STDOUT, '>', $to->{out} or POSIX::_exit(126) if $to->{out};
        open STDERR, '>', $to->{err} or POSIX::_exit(126) if $to->{err};
        $SIG{INT} = 'DEFAULT';    # a shell's background job ignores it
        %ENV = (%ENV, %{ $to->{env} // {} });
        exec @command or POSIX::_exit(127);
    }
    $running{$pid} = 1;
    return $pid;
}

# Waits for it, after a signal if one is given.
sub end {
    my ($pid, $signal) = @_;
    kill $signal => $pid if $signal;
    waitpid $pid, 0;
    delete $running{$pid};
    return $?;
}

sub run_with_input {
    my ($text, @command) = @_;
    my ($in, $out, $err) = map { File::Temp->new } 1 .. 3;
    print $in $text;
    close $in;
    my $status = end(start({ in => $in->filename, out => $out->filename, err => $err->filename }, @command));
    return ($status >> 8 || $status, slurp($out->filename), slurp($err->filename));
}

sub run { return run_with_input('', @_) }

sub said {
    my ($line) = @_;
    my $text = qx(($line) 2>&1);
    return ($text, $? >> 8 || $?);
}

sub dumped {
    my ($arguments) = @_;
    return map { decode_json($_) } split /\n/, qx(@{[oiduna]} dump $arguments);
}

1;
