#!/usr/bin/perl
# t/golden/accept.pl, on a copy of t/golden: a change of a session is shown as what it does to the music, and accepted when
# that is asked for.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Program qw(said);
use Scratch;
use Test::More;
use TimeLimit;

my $golden = scratch() . '/golden';
system("cp -r t/golden $golden && rm $golden/fuzz/*/1* $golden/fuzz/*/2*") == 0 or die;
$ENV{OIDUNA_GOLDEN} = $golden;
sub golden { return said("t/golden/accept.pl @_") }
sub change { my ($file, $from, $to) = @_; spew("golden/$file", slurp("$golden/$file") =~ s/\Q$from\E/$to/r); return }

my ($text, $code) = golden();
like("$code $text", qr/^0 \d+ performances, none different\n\z/, 'nothing differs');

change('swing/session.json', '"swing": 1', '"swing": 0.5');
change('batch/session.json', '"velocity": 90', '"velocity": 91');
change('polymeter/session.json', '{"step": 8}', '{"step": 9}');
($text, $code) = golden();
is($code, 1, 'a difference is exit code 1');
like($text, qr/^swing: 8 lines differ\n +0\.1667 s  step 1  superdirt hh: -20\.833 ms\n/m, 'another swing moves every second hat');
like($text, qr/^batch: 1 line differs\n +0\.5000 s  step 4  midi channel 0 note 48: data 90 -> 91\n/m, 'a velocity is named by its note');
like($text, qr/^ +1\.0000 s  step 8  superdirt bd: \+125\.000 ms, step 8 -> 9, cycle 0\.5 -> 0\.5625$/m, 'an event that moves is one line');
like($text, qr/^\d+ performances, 3 different$/m, 'and all are counted');

($text, $code) = golden('swing');
like($text, qr/^1 performance, 1 different$/m, 'one by name');
my $before = slurp("$golden/swing/expected.jsonl");
is(slurp("$golden/swing/expected.jsonl"), $before, 'showing changes nothing');
($text, $code) = golden('--accept', 'swing');
is($code, 0, 'accepting is no failure');
like($text, qr/^swing: 8 lines differ; accepted\n/, 'and shows what is accepted');
isnt(slurp("$golden/swing/expected.jsonl"), $before, 'what is expected is new');
($text, $code) = golden('swing');
is("$code $text", "0 1 performance, none different\n", 'so nothing differs any more');
is((golden('polymeter'))[1], 1, 'the others stay as they are');

change('chance/expected.jsonl', '"step":4,', '"step":4,"extra":1,');
change('undo/second.json', '"s": "lt"', '"s": "mt"');
($text) = golden('chance', 'undo');
like($text, qr/^undo: 6 lines differ\n +1\.0000 s  step 8  superdirt lt: gone\n.*superdirt mt: new$/ms, 'another sound is one gone and one new');

spew('golden/swing/session.json', '{"tracks":5}');
($text, $code) = golden('swing');
isnt($code, 0, 'a session that is refused');
like($text, qr/^swing: oiduna dump ended with/m, 'is no music to accept');
is((golden('--accept'))[1], 2, 'accept wants names');
is((golden('--nonsense'))[1], 2, 'an unknown option');
($text, $code) = golden('nonsense');
like($text, qr/^nonsense: no such performance; t\/golden has batch, /, 'an unknown name lists the known ones');
done_testing();
