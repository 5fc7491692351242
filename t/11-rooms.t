#!/usr/bin/perl
# The house: which room may include from which, as docs/architecture.md lists it; and habits that every room keeps.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Scratch;
use Test::More;
use TimeLimit;

my @files = grep { -f } split /\n/, `find engine io ir oiduna.c -name '*.[ch]' | LC_ALL=C sort`;

sub room
{
    my ($path) = @_;
    return $path =~ m{^(.+)/[^/]+$} ? $1 : '.';
}

# ---- the plan ---------------------------------------------------------------------------------------------------

# Rows of the table of rooms: | `io/wire/` | holds | `engine` `ir` |
my %may;
for (split /\n/, slurp('docs/architecture.md')) {
    my ($name, undef, $from) = /^\| `((?:engine|io|ir)(?:\/\w+)*)\/` \| ([^|]+) \|([^|]*)\|$/ or next;
    $may{$name} = { map { $_ => 1 } $from =~ /`([\w\/]+)`/g };
}
cmp_ok scalar keys %may, '>=', 14, 'docs/architecture.md has a table of rooms';
my %is = map { room($_) => 1 } grep { /\// } @files;
is_deeply [ sort keys %may ], [ sort keys %is ], 'with a line for each folder that has code, and no other';

# ---- the direction ----------------------------------------------------------------------------------------------

my @strangers;
my %uses;
for my $file (@files) {
    my $here = room($file);
    my $text = slurp($file);
    while ($text =~ /^#\s*include\s+"([^"]+)"/mg) {
        my $there = room($1);
        if ($there eq '.') {
            push @strangers, "$file: \"$1\" is not beside it" unless -e ($here eq '.' ? $1 : "$here/$1");
            next;
        }
        push @strangers, "$file: no $1" unless -e $1;
        push @strangers, "$file: \"$1\" is beside it: the bare name will do" if $there eq $here;
        next if $here eq '.';
        $uses{$here}{$there} = 1;
        push @strangers, "$file: includes $1, but $here/ may not include from $there/" unless $may{$here}{$there};
    }
}
is_deeply \@strangers, [], 'rooms include only what docs/architecture.md says' or diag join "\n", @strangers;

# A room comes after all that it may include from; where none can come next there is a circle.
my %left = map { $_ => { %{ $may{$_} } } } keys %may;
while (my @free = grep { !%{ $left{$_} } } keys %left) {
    delete @left{@free};
    delete @$_{@free} for values %left;
}
is_deeply [ sort keys %left ], [], 'and what it says has no circle';
for my $room (sort keys %may) {
    my @unused = grep { !$uses{$room}{$_} } sort keys %{ $may{$room} };
    is_deeply \@unused, [], "$room/ needs all that it may include";
}

# ---- habits -----------------------------------------------------------------------------------------------------

my @long = map { my $n = () = slurp($_) =~ /\n/g; $n > 700 ? "$_: $n lines" : () } @files;
is_deeply \@long, [], 'no file has more than 700 lines' or diag join "\n", @long;

my @banners = grep { slurp($_) =~ m{^/\* -{3,}}m } @files;
is_deeply \@banners, [], 'no file needs a banner to separate its subjects' or diag join "\n", @banners;

my @bare;
for my $header (grep { /\.h$/ } @files) {
    my ($prose) = slurp($header) =~ m{\A/\*(.*?)\*/}s;
    my ($name) = $header =~ m{([^/]+)\.h$};
    push @bare, $header unless defined $prose && $prose =~ /\A \Q$name\E: \S/;
}
is_deeply \@bare, [], 'every header opens with its name and purpose' or diag join "\n", @bare;

my @silent = grep { my $text = slurp($_); my $n = () = $text =~ /\n/g; $n > 150 && $text !~ m{\A(?:#define _GNU_SOURCE\n)?/\*} } grep { /\.c$/ } @files;
is_deeply \@silent, [], 'every longer source opens with prose' or diag join "\n", @silent;

# A backtrace tells where a function is. Modules of the rack are excepted: each defines the same few, by design.
my %static;
for my $file (grep { /\.c$/ && !m{^engine/rack/modules/} } @files) {
    my $text = slurp($file);
    push @{ $static{$1} }, $file while $text =~ /^(?:REALTIME )?static (?:inline )?[\w ]+?[ *]+(\w+)\([^;{}]*\)\n\{/mg;
}
my @twice = map { "$_: @{ $static{$_} }" } grep { @{ $static{$_} } > 1 } sort keys %static;
is_deeply \@twice, [], 'no name of a static function stands in two files' or diag join "\n", @twice;

# ---- tests ------------------------------------------------------------------------------------------------------

my @c_tests = glob 't/unit/*.[ch]';
@long = map { my $n = () = slurp($_) =~ /\n/g; $n > 700 ? "$_: $n lines" : () } @c_tests, glob 't/*.t t/lib/*.pm';
is_deeply \@long, [], 'no test has more than 700 lines' or diag join "\n", @long;
@banners = grep { slurp($_) =~ m{^/\* -{3,}}m } @c_tests;
is_deeply \@banners, [], 'no C test needs a banner' or diag join "\n", @banners;
my @endless = grep { slurp($_) !~ /^use TimeLimit\b/m } glob 't/*.t';
is_deeply \@endless, [], 'each Perl test has a time limit' or diag join "\n", @endless;

done_testing;
