#!/usr/bin/perl
# The documentation says what the program does: its lists equal the tables of the source, its examples pass `check`,
# the output that it shows is the program's.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use JSON::PP;
use Program qw(oiduna said);
use Scratch;
use Test::More;
use TimeLimit;

my $oiduna = oiduna();

sub have
{
    my ($program) = @_;
    return grep { -x "$_/$program" } split /:/, $ENV{PATH};
}

# Rows of an X-macro: the arguments of ROW(…) in the table, strings joined and without their quotes.
sub table
{
    my ($file, $name, $row) = @_;
    my $text = slurp($file) =~ s/\\\n\s*/ /gr;
    my ($body) = $text =~ /^#define \Q$name\E\(\w+\)(.*)$/m or die "$file: no table $name";
    my @rows;
    while ($body =~ /\b$row(\((?:"(?:[^"\\]|\\.)*"|[^()"]|(?1))*\))/g) {
        my $arguments = substr $1, 1, -1;
        my @fields;
        push @fields, $1 while $arguments =~ /\G\s*((?:"(?:[^"\\]|\\.)*"|[^,"()]|(\((?:[^()]|(?2))*\)))+)(?:,|$)/g;
        for (@fields) {
            s/\s+$//;
            s/"\s*"//g if /^"/;
            s/^"(.*)"$/$1/;
        }
        push @rows, \@fields;
    }
    die "$file: $name is empty" unless @rows;
    return @rows;
}

# The items of a man page: "Va name" (statistics) or "Cm name" (commands) → text, markup taken out.
sub items
{
    my ($page) = @_;
    my (%item, $name);
    for (split /\n/, slurp($page)) {
        if (/^\.It ((?:Va|Cm) \S+)/) {
            $item{$name = $1} //= '';
        } elsif (/^\.(?:El|It|Ss|Sh)/) {
            $name = undef;
        } elsif (defined $name) {
            s/^\.\w+ //;
            s/\\&//g;
            s/\\-/-/g;
            $item{$name} .= ($item{$name} eq '' ? '' : ' ') . $_;
        }
    }
    return \%item;
}

sub same_sentence
{
    my ($items, $name, $sentence, $what) = @_;
    return is(defined $items->{$name} ? lcfirst $items->{$name} : undef, lcfirst "$sentence.", $what);
}

# ---- lists ----------------------------------------------------------------------------------------------------

my $manual = items('docs/oiduna.1');
my @commands = table('engine/command.h', 'COMMANDS', 'COMMAND');

subtest 'oiduna(1) has every statistic, with the sentence of the table' => sub {
    same_sentence($manual, "Va $_->[0]", $_->[3], $_->[0])
        for table('engine/stats.h', 'STATS_COUNTERS', 'COUNTER'), table('engine/stats.h', 'STATS_DEST_COUNTERS', 'COUNTER'),
        table('engine/rack/rack.h', 'RACK_COUNTERS', 'COUNTER'), table('io/audio/audio.h', 'AUDIO_COUNTERS', 'COUNTER');
    same_sentence($manual, "Va $_->[0]", $_->[3], $_->[0]) for table('io/control/report.h', 'REPORT_GAUGES', 'GAUGE');
    same_sentence($manual, "Va $_->[0]", $_->[1], $_->[0]) for table('engine/stats.h', 'STATS_HISTOGRAMS', 'HISTOGRAM');
};

subtest 'every command is in oiduna(1), docs/osc.md and docs/control.md' => sub {
    my ($osc, $control) = (slurp('docs/osc.md'), slurp('docs/control.md'));
    for (@commands) {
        my (undef, $name, $sentence) = @$_;
        same_sentence($manual, "Cm $name", $sentence, "$name in oiduna(1)");
        like($osc, qr{^\| `/oiduna/\Q$name\E` \|}m, "/oiduna/$name in docs/osc.md");
        like($control, qr{^\| `\Q$name\E` \|}m, "$name in docs/control.md");
    }
};

subtest 'oiduna.conf(5) has every key, its default, and whether a reload applies it' => sub {
    my $page = slurp('docs/oiduna.conf.5');
    for (table('io/config/config.h', 'CONFIG_KEYS', 'KEY')) {
        my ($section, $name, undef, undef, undef, undef, $default, $live) = @$_;
        my ($text) = $page =~ /^\.Ss Section $section\n(.*?)^\.(?:Ss|Sh) /ms;
        my ($item) = ($text // '') =~ /^\.It Cm \Q$name\E (.*)$/m;
        next unless ok($item, "$section.$name is there");
        $default = 'empty' if $default eq '';
        like($item, qr/^Pq (?:Cm )?\Q$default\E(?: |$)/, "$section.$name: default $default");
        is($item =~ /No live$/ ? 1 : 0, $live, "$section.$name: " . ($live ? 'live' : 'needs a restart'));
    }
    my ($text) = $page =~ /^\.Ss Section destination NAME\n(.*?)^\.(?:Ss|Sh) /ms;
    my %of = (o => 'osc', m => 'midi');
    for (table('io/config/config.h', 'CONFIG_DEST_KEYS', 'KEY')) {
        my ($kinds, $name, $default, $live) = @$_[0, 1, 6, 7];
        $default = 'empty' if $default eq '';
        for my $kind ($kinds =~ /r/ ? '' : split //, $kinds) {
            my ($part) = $kind ? $text =~ /^Of type\n\.Cm $of{$kind} :\n(.*?)^\.El/ms : $text;
            my $mark = $live ? ' , No live' : '';
            like($part, qr/^\.It Cm \Q$name\E Pq (?:Cm )?\Q$default\E$mark$/m, "destination $kind: $name, default $default$mark");
        }
    }
};

# A comment is that of all the keys that follow it without an empty line between them.
subtest 'conf/oiduna.conf says which keys are live' => sub {
    my %live = map { ("$_->[0].$_->[1]" => $_->[7]) } table('io/config/config.h', 'CONFIG_KEYS', 'KEY');
    for (table('io/config/config.h', 'CONFIG_DEST_KEYS', 'KEY')) {
        $live{"$_->[0] $_->[1]"} = $_->[7];
    }
    my ($section, $comment, $kind) = ('', '', '');
    for (split /\n/, slurp('conf/oiduna.conf')) {
        $section = $1 if /^\[(.*)\]/;
        $comment = /^#/ ? $comment . $_ : '' if /^(?:#|\[|$)/;
        next unless /^(\w+) = ?(\w*)/;
        my $key = $1;
        $kind = substr $2, 0, 1 if $key eq 'type';
        my ($row) = $section =~ /^destination/ ? grep { /^\w*$kind\w* \Q$key\E$/ } keys %live : "$section.$key";
        is($comment =~ /\(live\b/ ? 1 : 0, $live{$row}, "[$section] $key");
    }
};

subtest 'docs/ir.md has every parameter of a message' => sub {
    my $ir = slurp('docs/ir.md');
    for (table('ir/model.h', 'IR_PARAMS', 'PARAM')) {
        my (undef, undef, $key, $osc) = @$_;
        ok($ir =~ /`\Q$key\E`/ && $ir =~ /`\Q$osc\E`/, $key eq $osc ? $key : "$key, sent as $osc");
    }
};

SKIP: {
    skip 'mandoc is not installed', 1 unless have('mandoc');
    my ($text) = said('mandoc -Tlint -W warning docs/oiduna.1 docs/oiduna.conf.5');
    is($text, '', 'the man pages have no faults that mandoc finds');
}

# ---- examples ---------------------------------------------------------------------------------------------------

# What `check` says to a document: nothing, when there is neither error nor warning.
sub faultless
{
    my ($file, $what) = @_;
    my ($text, $status) = said("$oiduna check $file");
    return ok($status == 0 && $text !~ /warning/, $what) || diag($text);
}

my %session;
my $ir = slurp('docs/ir.md');
while ($ir =~ /^```json session=(\w+)\n(.*?)^```$/msg) {
    my ($name, $text) = ($1, $2);
    $session{$name} = spew("$name.json", $text);
    faultless($session{$name}, "docs/ir.md: the session '$name' passes check");
    is($text, slurp("docs/examples/$name.json"), "docs/examples/$name.json is the same") if -e "docs/examples/$name.json";
}
cmp_ok(scalar keys %session, '>=', 3, 'docs/ir.md shows complete documents');

while ($ir =~ /^```text dump=(\w+) steps=(\d+)(?: lines=(\d+))?\n(.*?)^```$/msg) {
    my ($name, $steps, $lines, $shown) = ($1, $2, $3, $4);
    my ($text) = said("$oiduna dump --steps $steps $session{$name}");
    $text = join '', (split /^/, $text)[0 .. $lines - 1] if $lines;
    is($shown, $text, "docs/ir.md: what it shows of dump --steps $steps of '$name' is what dump prints");
}

for (['python3', 'generate.py'], ['node', 'generate.js']) {
    my ($language, $script) = @$_;
  SKIP: {
        skip "$language is not installed", 2 unless have($language);
        my ($text, $status) = said("$language docs/examples/$script");
        my $file = spew("$script.json", $text);
        is($status, 0, "docs/examples/$script runs");
        faultless($file, "what docs/examples/$script prints passes check");
    }
}

# ---- the demo ----------------------------------------------------------------------------------------------------

my $demo = decode_json(slurp('conf/demo.json'));
faultless('conf/demo.json', 'conf/demo.json passes check');
SKIP: {
    skip 'python3 is not installed', 1 unless have('python3');
    my ($text) = said('python3 docs/examples/demo.py');
    ok($text eq slurp('conf/demo.json'), 'conf/demo.json is what docs/examples/demo.py prints');
}
is(scalar keys %{$demo->{tracks}}, 8, 'the demo has eight tracks');
for my $scene (undef, sort keys %{$demo->{scenes}}) {
    my $script = spew('demo.jsonl', join '', qq({"session_file":"conf/demo.json"}\n),
        $scene ? qq({"cmd":"scene","args":["$scene"]}\n) : '', qq({"cmd":"start"}\n{"run":256}\n));
    my ($text, $status) = said("$oiduna dump --script $script");
    my (%sound, %bar, @bad);
    for (split /\n/, $text) {
        my $line = decode_json($_);
        push @bad, $_ if $line->{answer} && !$line->{answer}{ok};
        next unless $line->{osc};
        my %pair = map { ref $_ ? @$_ : () } @{$line->{osc}};
        $sound{"$pair{s} $pair{orbit}"}++;
        $bar{int($line->{step} / 64)}++;
    }
    my $what = $scene ? "the demo's scene $scene" : 'the demo';
    is("@bad", '', "$what: nothing is refused");
    is_deeply([sort keys %bar], [0 .. 3], "$what plays in each of its four bars");
    cmp_ok(scalar keys %sound, '>=', 8, "$what: its tracks and their sends are heard");
}

# ---- commands that the README names --------------------------------------------------------------------------------

my ($ctl_help) = said("$oiduna help ctl");
my %is_command = map { $_ => 1 } $ctl_help =~ /^  ([a-z][\w\/-]*)/mg;
subtest 'what `oiduna help ctl` lists is in oiduna(1) and docs/control.md' => sub {
    my $control = slurp('docs/control.md');
    cmp_ok(scalar keys %is_command, '>', @commands, 'it lists the commands and more');
    ok(defined $manual->{"Cm $_"} && $control =~ /^\| `\Q$_\E` \|/m, $_) for sort keys %is_command;
};
my ($help) = said("$oiduna help");
my %seen;
for my $doc ('README.md', 'docs/ir.md', 'docs/osc.md', 'docs/control.md') {
    my $text = slurp($doc);
    while ($text =~ /(?:^|[ `|])(?:build\/)?oiduna ((?:run|send|ctl|stats|top|check|dump|doctor|help)\b[^`|\n#]*)/g) {
        my ($line) = $1;
        my ($subcommand, @words) = split ' ', $line;
        like($help, qr/\b$subcommand\b/, "oiduna help knows $subcommand") unless $seen{$subcommand}++;
        ok($is_command{$words[0]}, "ctl $words[0], in $doc, is a command")
            if $subcommand eq 'ctl' && @words && $words[0] =~ /^[a-z]/ && !$seen{"ctl $words[0]"}++;
        for (grep { /^--[a-z]/ } @words) {
            my ($option) = /^(--[a-z-]+)/;
            next if $seen{"$subcommand $option"}++;
            my ($usage) = said("$oiduna help $subcommand");
            like($usage, qr/(?<!\S)\[?\Q$option\E\b/, "oiduna $subcommand has $option, as $doc says");
        }
    }
}
my ($build_help) = said('./build.sh help');
$seen{$_}++ or like($build_help, qr/^  $_\b/m, "./build.sh help knows $_")
    for slurp('README.md') =~ /\.\/build\.sh (\w+)/g;

# ---- links --------------------------------------------------------------------------------------------------------

# GitHub's name of a heading.
sub anchor
{
    my $heading = lc $_[0];
    $heading =~ s/[^\w\- ]//g;
    return $heading =~ tr/ /-/r;
}

for my $doc ('README.md', glob 'docs/*.md') {
    my ($folder) = $doc =~ m{^(.*/)?};
    $folder //= '';
    my @dead;
    my $prose = slurp($doc) =~ s/^```.*?^```$//msgr;
    while ($prose =~ /\]\(([^)\s]+)\)/g) {
        my ($file, $place) = split /#/, $1, 2;
        next if $file =~ /^\w+:/;
        $file = $file eq '' ? $doc : $folder . $file;
        push @dead, $1 and next unless -e $file;
        next unless defined $place;
        my @anchors = map { anchor($_) } slurp($file) =~ /^#+ (.+)$/mg;
        push @dead, "$file#$place" unless grep { $_ eq $place } @anchors;
    }
    is("@dead", '', "$doc: no dead links");
}

done_testing;
