# Guest: a machine with an ALSA sequencer, for where there is none: Debian's kernel under qemu, in software.
#
#   my $why = Guest::why_not();         # '' where it can run
#   my $files = Guest::run(files => { 'a.json' => $text }, script => "oiduna run … &\n…", devices => ['usb'], seconds => 100);
#   $files->{'take'}                    # what the script left in /out/take: text
#   $files->{'a.raw'}                   # or in /raw/a.raw: any bytes
#
# The script is busybox's sh; in its path are oiduna, the programs of t/emulated/*.c, those whose paths `programs` lists, the
# ALSA utilities and midish, as far as they are installed, and
#
#   daemon NAME OPTION…     a daemon; returns when it is ready. Its number is $d, its log /out/NAME.log
#   end_daemon NAME         ends it by SIGTERM, and says its exit code
#   record NAME N           records the other end of the raw MIDI device N (0-1: card 0, device 1) into /out/NAME
#
# Four virtual raw MIDI devices are always there, VirMIDI 0-0 to 0-3, others by name:
#
#   more  four again, VirMIDI 1-0 to 1-3
#   usb   plug VENDOR PRODUCT NAME, pull: a USB MIDI device; its other end is another card
#   loop  a sound card whose playback is its own capture; its clock ticks every 4 ms
#
# Its time is that of its one processor, 2 ns for each instruction, or 1 where `fast` is given; where all programs wait, the next
# timer is due at once. So what is measured inside does not depend on how busy the machine around is, and seconds that are slept
# cost nothing. The kernel is downloaded once, unpacked below build/emulated and kept. Whatever is missing skips the whole
# test, with the reason.
package Guest;
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Copy qw(copy);
use Fcntl qw(LOCK_EX);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Program ();
use Scratch qw(slurp);
use Test::More;

# In the order in which they can be loaded.
my %modules = (
    '' => [ qw(soundcore snd snd-timer snd-hrtimer snd-seq-device snd-seq snd-seq-dummy snd-rawmidi
        snd-seq-midi-event snd-seq-midi snd-seq-virmidi snd-virmidi) ],
    usb => [ qw(snd-pcm snd-hwdep mc usb-common usbcore udc-core configfs libcomposite usb_f_midi snd-usbmidi-lib snd-usb-audio dummy_hcd) ],
    loop => [ qw(snd-pcm snd-aloop) ],
    more => [],
);
my $cache = $ENV{OIDUNA_EMULATED} || 'build/emulated';
my $counting = '-accel tcg,thread=single -icount shift=SHIFT,align=off,sleep=off -smp 1';

sub _which { my ($name) = @_; my ($path) = grep { -x } map { "$_/$name" } split(/:/, $ENV{PATH}), '/sbin', '/usr/sbin'; return $path }

sub has { return defined _which($_[0]) }

sub _quiet { return system("@_ >/dev/null 2>&1") == 0 }

# A kernel that need not unpack itself boots in half the time. The packed one, where there is no xz.
sub _unpack {
    my ($packed, $to) = @_;
    my $bytes = slurp($packed);
    my $at = index $bytes, "\xfd7zXZ\0";
    if ($at >= 0 && _which('xz')) {
        open my $f, '>:raw', "$packed.xz" or die "$packed.xz: $!";
        print $f substr $bytes, $at;
        close $f;
        system("xz -dc '$packed.xz' >'$to.new' 2>/dev/null"); # complains of what follows
    }
    my $magic = '';
    if (open my $f, '<:raw', "$to.new") { read $f, $magic, 4; }
    copy($packed, "$to.new") unless $magic eq "\x7fELF";
    return rename "$to.new", $to;
}

# The kernel and its modules, flat, in the cache; '' or why not.
sub _kernel {
    my %seen;
    my @all = grep { !$seen{$_}++ } map { @$_ } values %modules;
    make_path($cache);
    open my $lock, '>', "$cache/lock" or return "$cache/lock: $!"; # two tests may come at once
    flock $lock, LOCK_EX;
    return '' if -e "$cache/kernel" && !grep { !-e "$cache/$_.ko" } @all;
    return 'dpkg and apt-get are needed to fetch a kernel' unless _which('dpkg') && _which('apt-get');
    my ($package) = `apt-cache depends linux-image-amd64 2>/dev/null` =~ /Depends: (linux-image-\S+)/
        or return 'apt knows no linux-image-amd64';
    my $dir = tempdir(CLEANUP => 1);
    _quiet("cd '$dir' && apt-get -q download '$package'") or return "$package can't be downloaded";
    my ($deb) = glob "$dir/*.deb";
    _quiet("dpkg --fsys-tarfile '$deb' | tar -x -C '$dir' -f - --wildcards './boot/vmlinuz-*'", map { "'*/$_.ko'" } @all)
        or return "$package can't be unpacked, or lacks a module";
    for my $module (@all) {
        my ($file) = split /\n/, `find '$dir/lib' -name '$module.ko'`;
        copy($file, "$cache/$module.ko") or return "$module: $!";
    }
    my ($packed) = glob "$dir/boot/vmlinuz-*";
    return _unpack($packed, "$cache/kernel") ? '' : "kernel: $!";
}

sub why_not {
    return 'the emulated machine is an x86-64 one' unless `uname -m` eq "x86_64\n";
    return 'qemu-system-x86_64 is not installed' unless _which('qemu-system-x86_64');
    my $busybox = _which('busybox');
    return 'busybox-static is not installed' unless $busybox && `ldd '$busybox' 2>&1` =~ /not a dynamic|statically/;
    return 'no program for the guest: ./build.sh build tests' unless -x dirname(_oiduna()) . '/t/tape';
    return _kernel();
}

sub _oiduna { return abs_path(Program::oiduna()) }

sub _put {
    my ($root, $path, $content, $mode) = @_;
    make_path(dirname("$root$path"));
    open my $f, '>', "$root$path" or die "$path: $!";
    print $f $content;
    close $f;
    chmod $mode // 0644, "$root$path";
}

# A program with the libraries it needs, at the places where the loader looks for them.
sub _program {
    my ($root, $from, $to) = @_;
    make_path(dirname("$root$to"));
    copy($from, "$root$to") or die "$from: $!";
    chmod 0755, "$root$to";
    for my $line (`ldd '$from' 2>/dev/null`) {
        my ($library) = $line =~ m{(/\S+) \(0x} or next;
        next if -e "$root$library";
        make_path(dirname("$root$library"));
        copy($library, "$root$library") or die "$library: $!";
        chmod 0755, "$root$library";
    }
}

my $init = <<'SH';
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev; mkdir -p /run /tmp; mount -t tmpfs run /run
export PATH=/bin XDG_RUNTIME_DIR=/run HOME=/
ip link set lo up
for m in MODULES; do
    parameters=; [ $m = snd-virmidi ] && parameters=VIRMIDI
    insmod /modules/$m.ko $parameters || echo "insmod $m failed"
done
mkdir -p /out /raw
cat /tools /script >/all; sh /all >/out/script 2>&1
[ -z "$(ls /raw)" ] || tape out /raw/*
for f in /out/*; do echo "=== ${f#/out/}"; cat $f; echo; done
echo "=== end"
poweroff -f
SH

my $tools = <<'SH';
daemon() {
    name=$1; shift
    oiduna run -o osc.listen=127.0.0.1:0 "$@" >/out/$name.log 2>&1 & d=$!
    i=0; until grep -qs 'oiduna: ready' /out/$name.log || [ $i -gt 100 ]; do sleep 0.1; i=$((i+1)); done
}
end_daemon() { kill $d; wait $d; echo "$1 ended with $?"; }
record() { guest record /dev/snd/midiC${2%-*}D${2#*-} /out/$1 & sleep 0.1; }
gadget=/sys/kernel/config/usb_gadget/g
plug() {
    [ -e /sys/kernel/config/usb_gadget ] || mount -t configfs none /sys/kernel/config
    [ -e $gadget ] || mkdir -p $gadget/strings/0x409 $gadget/configs/c.1 $gadget/functions/midi.0
    [ -e $gadget/configs/c.1/midi.0 ] || ln -s $gadget/functions/midi.0 $gadget/configs/c.1
    echo 0x$1 >$gadget/idVendor; echo 0x$2 >$gadget/idProduct; echo "$3" >$gadget/strings/0x409/product
    echo dummy_udc.0 >$gadget/UDC
}
pull() { echo '' >$gadget/UDC; sleep 1; }
SH

# What t/emulated/tape.c carried out.
sub _raw {
    my ($path) = @_;
    my %file;
    open my $f, '<:raw', $path or return;
    while ((<$f> // '') =~ /^(\S+) (\d+)$/) { read $f, $file{$1}, $2; }
    return %file;
}

# seconds: of the machine around, after which it is given up
sub run {
    my (%o) = @_;
    my $root = tempdir(CLEANUP => 1);
    my $top = dirname(_oiduna());
    my %seen;
    my @modules = grep { !$seen{$_}++ } map { @{ $modules{$_} or die "no device $_" } } '', @{ $o{devices} || [] };
    my $virmidi = grep({ $_ eq 'more' } @{ $o{devices} || [] }) ? 'enable=1,1' : '';
    _put($root, '/init', $init =~ s/MODULES/@modules/r =~ s/VIRMIDI/$virmidi/r, 0755);
    _put($root, '/tools', $tools);
    _put($root, '/script', $o{script});
    _put($root, "/files/$_", $o{files}{$_}) for keys %{ $o{files} || {} };
    make_path(map { "$root/$_" } qw(bin proc sys dev modules));
    copy("$cache/$_.ko", "$root/modules/$_.ko") for @modules;
    _program($root, _which('busybox'), '/bin/busybox');
    _program($root, _oiduna(), '/bin/oiduna');
    _program($root, $_, '/bin/' . basename($_)) for map({ "$top/t/$_" } qw(guest tape)), @{ $o{programs} || [] };
    for (qw(aplaymidi aconnect aseqdump amixer midish)) { _program($root, _which($_), "/bin/$_") if _which($_); }
    system("mkdir -p '$root/usr/share' && cp -rL /usr/share/alsa '$root/usr/share/' && cd '$root' && find . | "
        . "busybox cpio -o -H newc >../initrd.$$ 2>/dev/null") == 0 or die 'no initrd';
    my $initrd = dirname($root) . "/initrd.$$";
    my $machine = $o{machine} || $counting =~ s/SHIFT/$o{fast} ? 0 : 1/er;
    # What the kernel would prove to itself with every boot (its ciphers, its keys) takes longer than all the rest.
    my $arguments = 'console=ttyS0 quiet panic=1 loglevel=1 cryptomgr.notests=1 '
        . 'initcall_blacklist=load_system_certificate_list,init_blk_tracer';
    # Without erms memory is cleared by words, and not byte by byte, each an instruction.
    my $command = "timeout $o{seconds} qemu-system-x86_64 $machine -cpu max,-erms -m 1024 -nodefaults -serial stdio -display none "
        . "-chardev file,id=raw,path=$initrd.raw -device isa-debugcon,iobase=0xe9,chardev=raw "
        . "-vga none -nic none -no-reboot -kernel $cache/kernel -initrd $initrd -append '$arguments' </dev/null 2>&1";
    my $console = `$command`;
    my %file = _raw("$initrd.raw");
    unlink $initrd, "$initrd.raw";
    $console =~ s/\r//g;
    while ($console =~ /^=== (\S+)\n(.*?)(?=^=== )/msg) { $file{$1} = $2; }
    $file{console} = $console;
    diag(substr $console, -3000) unless $console =~ /^=== end$/m;
    return \%file;
}

# What `guest record` wrote as NAME: [ns, '90 3c 64'] …
sub taken { my ($files, $name) = @_; return map { [ /^(\d+) (.*)/ ] } grep { /^\d/ } split /\n/, $files->{$name} // '' }

# '90 3c 64' …
sub messages { return map { $_->[1] } taken(@_) }

# the same of a line of `oiduna dump`
sub hex_bytes { return join ' ', map { sprintf '%02x', $_ } @{ $_[0]{midi} } }

# of the messages '90 3c 64' …: notes that were struck and have no end, as CHANNEL:NOTE
sub hanging {
    my %on;
    for (@_) {
        my ($status, $note, $velocity) = map { hex } split / /;
        next unless ($status & 0xe0) == 0x80;
        $on{ ($status & 15) . ":$note" } = $status >= 0x90 && $velocity ? 1 : 0;
    }
    return join ' ', grep { $on{$_} } sort keys %on;
}

1;
