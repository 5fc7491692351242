# TimeLimit: a test that hangs ends, with everything that it started.
#
#   use TimeLimit;                   # after 300 s
#   use TimeLimit seconds => 1500;
#   TimeLimit::set(0);               # never: a run that was asked to take long
#
# Sanitizers have five times as long. OIDUNA_TEST_SECONDS replaces the figure.
package TimeLimit;
use strict;
use warnings;
use Test::More;
use Wait;

my $owner = $$;

sub import { my (undef, %o) = @_; set($o{seconds} // 300); return }

sub set {
    my ($seconds) = @_;
    $seconds = $ENV{OIDUNA_TEST_SECONDS} // $seconds * slowness();
    $SIG{ALRM} = sub { _give_up($seconds) };
    alarm $seconds;
    return;
}

# All processes below this one.
sub _descendants {
    my %children;
    for my $file (glob '/proc/[0-9]*/stat') {
        open my $f, '<', $file or next;
        my $line = <$f> // '';
        push @{ $children{$2} }, $1 if $line =~ /^(\d+) \(.*\) \S (\d+)/s;
    }
    my @found = @{ $children{$$} // [] };
    for (my $i = 0; $i < @found; $i++) { push @found, @{ $children{ $found[$i] } // [] } }
    return @found;
}

# Children first: Perl waits for a command whose output it reads.
sub _give_up {
    my ($seconds) = @_;
    exit 1 if $$ != $owner;
    kill KILL => _descendants();
    fail("ends within $seconds s");
    exit 1;
}

1;
