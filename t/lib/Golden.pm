# Golden: the performances of t/golden, and how what oiduna gives differs from what is kept.
#
#   for my $p (Golden::performances()) {
#       $p->{name}                          # 'swing', 'fuzz/103', 'fuzz/022.n16.s256'
#       my $got = Golden::perform($p);      # what `oiduna dump` prints now; dies when it fails
#       Golden::difference($got, Golden::expected($p))      # lines for a reader, none where they are equal
#       Golden::accept_as($p, $got);
#   }
#
# A performance is a directory with README.md, which ends with the command that plays it, and expected.jsonl. Those of
# fuzz/ are made by chance: cases/NAME.nN.sK.jsonl is NAME.json with engine.steps_per_beat N, K steps,
# scripts/NAME.expected.jsonl is NAME.script.jsonl.
package Golden;
use strict;
use warnings;
use Cwd qw(abs_path);
use JSON::PP;
use Program qw(oiduna);
use Scratch;

sub directory { return $ENV{OIDUNA_GOLDEN} || 't/golden' }

sub _named {
    my ($file) = @_;
    my ($directory, $name) = $file =~ m{^(.*/([^/]+))/README\.md$};
    my ($arguments) = slurp($file) =~ /^    oiduna dump (.+)\n\z/m or die "$file does not end with a line '    oiduna dump …'\n";
    return { name => $name, in => $directory, arguments => $arguments, expected => "$directory/expected.jsonl" };
}

sub _case {
    my ($file) = @_;
    my ($directory, $name, $n, $steps) = $file =~ m{^(.*)/(\w+)\.n(\d+)\.s(\d+)\.jsonl$} or return;
    return { name => "fuzz/$name.n$n.s$steps", in => $directory, expected => $file,
        arguments => "$name.json --steps $steps -o engine.steps_per_beat=$n" };
}

sub _script {
    my ($file) = @_;
    my ($directory, $name) = $file =~ m{^(.*)/(\w+)\.expected\.jsonl$};
    return { name => "fuzz/$name", in => $directory, expected => $file, arguments => "--script $name.script.jsonl" };
}

sub performances {
    my $golden = directory();
    return (
        map({ _named($_) } sort glob "$golden/*/README.md"),
        map({ _case($_) } sort glob "$golden/fuzz/cases/*.jsonl"),
        map({ _script($_) } sort glob "$golden/fuzz/scripts/*.expected.jsonl"),
    );
}

sub expected { my ($p) = @_; return slurp_if_there($p->{expected}) }

sub perform {
    my ($p) = @_;
    my $oiduna = abs_path(oiduna());
    my $text = qx(cd '$p->{in}' && exec '$oiduna' dump $p->{arguments} 2>/dev/null);
    die "$p->{name}: oiduna dump ended with $?\n" if $?;
    return $text;
}

sub accept_as {
    my ($p, $got) = @_;
    open my $f, '>:raw', $p->{expected} or die "$p->{expected}: $!";
    print $f $got;
    close $f or die "$p->{expected}: $!";
    return;
}

# A line as { text, place => 'second and step', what => 'superdirt bd', fields => [ [name, value] … ] }.
sub _event {
    my ($text) = @_;
    my $line = eval { decode_json($text) } // {};
    my %event = (text => $text, ns => $line->{t_ns}, place => ' ' x 19, what => $text, fields => []);
    return \%event unless defined $line->{t_ns};
    $event{place} = sprintf '%9.4f s  %6s', $line->{t_ns} / 1e9, $line->{step} < 0 ? '' : "step $line->{step}";
    push @{ $event{fields} }, map { [ $_, $line->{$_} ] } qw(t_ns step);
    if ($line->{osc}) {
        my ($address, @pairs) = @{ $line->{osc} };
        my %value = map { @$_ } @pairs;
        $event{what} = join ' ', $line->{dest}, $value{s} // $address, defined $value{midinote} ? "note $value{midinote}" : ();
        push @{ $event{fields} }, [ address => $address ], @pairs;
    } else {
        my ($status, @data) = @{ $line->{midi} };
        my %kind = (8 => 'note off', 9 => 'note', 0xb => 'controller', 0xe => 'bend', 0xd => 'pressure', 0xc => 'program', 0xa => 'poly pressure');
        my $kind = $kind{ $status >> 4 };
        my $number = $kind && $kind =~ /note|controller|poly/ ? ' ' . shift @data : '';
        $event{what} = "$line->{dest} " . ($kind ? "channel " . ($status & 15) . " $kind$number" : sprintf '%02x', $status);
        push @{ $event{fields} }, [ data => "@data" ] if @data;
    }
    return \%event;
}

# What is different between two events of the same thing.
sub _changes {
    my ($want, $got) = @_;
    my %want = map { @$_ } @{ $want->{fields} };
    my %got = map { @$_ } @{ $got->{fields} };
    my (%seen, @changes);
    for my $name (grep { !$seen{$_}++ } map { $_->[0] } @{ $want->{fields} }, @{ $got->{fields} }) {
        my ($w, $g) = ($want{$name} // '(none)', $got{$name} // '(none)');
        next if $w eq $g;
        push @changes, $name eq 't_ns' ? sprintf('%+.3f ms', ($g - $w) / 1e6) : "$name $w -> $g";
    }
    return @changes ? join ', ', @changes : 'the order of its parameters';
}

# Of all that is expected and not there, or there and not expected, what is of one thing and nearest in time is paired.
sub difference {
    my ($got, $want) = @_;
    return if $got eq $want;
    my @got = split /\n/, $got;
    my @want = split /\n/, $want;
    my (%spare, %missing);
    $spare{$_}++ for @got;
    my @gone = grep { !$spare{$_} || !$spare{$_}-- } @want;
    $missing{$_}++ for @want;
    my @new = grep { !$missing{$_} || !$missing{$_}-- } @got;
    @gone = map { _event($_) } @gone;
    @new = map { _event($_) } @new;
    my (%of, @lines);
    push @{ $of{ $_->{what} } }, $_ for @new;
    for my $event (@gone) {
        my $like = defined $event->{ns} ? $of{ $event->{what} } // [] : [];
        my ($nearest) = sort { abs($like->[$a]{ns} - $event->{ns}) <=> abs($like->[$b]{ns} - $event->{ns}) || $a <=> $b } 0 .. $#$like;
        my $now = defined $nearest ? splice @$like, $nearest, 1 : undef;
        $now->{paired} = 1 if $now;
        push @lines, [ $event->{ns} // 0, "  $event->{place}  $event->{what}: " . ($now ? _changes($event, $now) : 'gone') ];
    }
    push @lines, map { [ $_->{ns} // 0, "  $_->{place}  $_->{what}: new" ] } grep { !$_->{paired} } @new;
    return map { $_->[1] } sort { $a->[0] <=> $b->[0] } @lines if @lines;
    my ($first) = grep { $got[$_] ne $want[$_] } 0 .. $#got;
    my $event = _event($got[ $first // 0 ]);
    return "  the same lines in another order, from line " . (1 + ($first // 0)) . " on:$event->{place}  $event->{what}";
}

1;
