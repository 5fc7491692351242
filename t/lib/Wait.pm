# Wait: how long a test waits.
#
#   patience()               # seconds for what must come: costs nothing when it comes
#   quiet()                  # seconds of silence that are taken to mean that nothing comes
#   slowness()               # the factor by which a sanitizer slows a program down
#   eventually(sub { … })    # true as soon as the condition holds, false when patience ends
#
# A busy machine must not fail a test.
package Wait;
use strict;
use warnings;
use Exporter 'import';
use Time::HiRes qw(time sleep);

our @EXPORT = qw(eventually patience quiet slowness);

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

1;
