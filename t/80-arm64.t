#!/usr/bin/perl
# The rack on another processor: compiled for arm64 and run by an emulator, it gives the samples that it gives here, bit for
# bit. Debian's tools: gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Program;
use Scratch;
use Test::More;
use TimeLimit seconds => 600;

my $tmp = scratch();
my $here = oiduna() =~ s{[^/]*\z}{t/rack_bits}r;
my $compiler = 'aarch64-linux-gnu-gcc';
my ($emulator) = grep { have($_) } qw(qemu-aarch64 qemu-aarch64-static);

sub have
{
    my ($program) = @_;
    return grep { -x "$_/$program" } split /:/, $ENV{PATH};
}

sub samples
{
    my ($command) = @_;
    my $out = qx($command 2>&1);
    return $out =~ /^# samples: ([0-9a-f]{16})$/m ? $1 : "none: $out";
}

plan skip_all => "there is no $compiler" if !have($compiler);
plan skip_all => 'there is no qemu-aarch64' if !$emulator;
spew('empty.c', "int main(void) { return 0; }\n");
plan skip_all => "$compiler links no program" if system "$compiler -static -o $tmp/empty $tmp/empty.c 2>$tmp/log";

my $flags = '-I. -std=gnu11 -O2 -ffp-contract=off -pthread -Wall -Wextra -Wshadow -Wconversion -Werror -Wno-psabi -static';
my $status = system "$compiler $flags -o $tmp/rack_bits t/unit/rack_bits.c engine/rack/*.c engine/rack/modules/*.c";
is($status, 0, 'the rack is compiled for arm64, without a warning');
my $want = samples($here);
like($want, qr/^[0-9a-f]{16}$/, "here it plays: $want");
is(samples("$emulator $tmp/rack_bits"), $want, 'and there the same, bit for bit');
done_testing();
