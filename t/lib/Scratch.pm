# Scratch: a test's files.
#
#   scratch()                      # a directory of its own, removed at the end; oiduna finds no configuration but there
#   spew('a.json', $text)          # writes a file into it; the path
#   slurp($path)                   # the bytes of any file; dies where it is missing
#   slurp_if_there($path)          # '' where it is missing
package Scratch;
use strict;
use warnings;
use Exporter 'import';
use File::Temp qw(tempdir);

our @EXPORT = qw(scratch slurp slurp_if_there spew);

my $dir = tempdir(CLEANUP => 1);
$ENV{XDG_CONFIG_HOME} = $dir;

sub scratch { return $dir }

sub slurp {
    my ($path) = @_;
    open my $f, '<:raw', $path or die "$path: $!";
    local $/;
    return scalar(<$f>) // '';
}

sub slurp_if_there { my ($path) = @_; return -e $path ? slurp($path) : '' }

sub spew {
    my ($name, $text) = @_;
    open my $f, '>:raw', "$dir/$name" or die "$dir/$name: $!";
    print $f $text;
    close $f or die "$dir/$name: $!";
    return "$dir/$name";
}

1;
