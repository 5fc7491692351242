# Guest: a machine with an ALSA sequencer, for where there is none: Debian's kernel under qemu, in software.
#
#   my $files = Guest::run(files => { 'a.json' => $text }, script => "oiduna run … &\n…", seconds => 100);
#   $files->{'take'}           # what the script left in /out/take
#
# The script is busybox's sh; in its path are oiduna, guest (t/emulated/guest.c) and the ALSA utilities that there are.
# The kernel is downloaded once, unpacked below build/emulated and kept. Whatever is missing skips the whole test, with
# the reason.
package Guest;
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename qw(basename dirname);
use File::Copy qw(copy);
use File::Path qw(make_path);
use File::Temp qw(tempdir);
use Test::More;

my @modules = qw(soundcore snd snd-timer snd-hrtimer snd-seq-device snd-seq snd-seq-dummy snd-rawmidi
    snd-seq-midi-event snd-seq-midi snd-seq-virmidi snd-virmidi);
my $cache = $ENV{OIDUNA_EMULATED} || 'build/emulated';

sub _which { my ($name) = @_; my ($path) = grep { -x } map { "$_/$name" } split(/:/, $ENV{PATH}), '/sbin', '/usr/sbin'; return $path }

sub _quiet { return system("@_ >/dev/null 2>&1") == 0 }

# The kernel and its modules, flat, in the cache; '' or why not.
sub _kernel {
    return '' if -e "$cache/vmlinuz" && !grep { !-e "$cache/$_.ko" } @modules;
    return 'dpkg and apt-get are needed to fetch a kernel' unless _which('dpkg') && _which('apt-get');
    my ($package) = `apt-cache depends linux-image-amd64 2>/dev/null` =~ /Depends: (linux-image-\S+)/
        or return 'apt knows no linux-image-amd64';
    my $dir = tempdir(CLEANUP => 1);
    make_path($cache);
    my ($deb) = glob "$cache/linux-image-*.deb";
    unless ($deb) {
        _quiet("cd '$dir' && apt-get -q download '$package'") or return "$package can't be downloaded";
        ($deb) = glob "$dir/*.deb";
    }
    _quiet("dpkg -x '$deb' '$dir/root'") or return "$deb can't be unpacked";
    for my $module (@modules) {
        my ($file) = split /\n/, `find '$dir/root' -name '$module.ko'`;
        return "$package has no $module" unless $file;
        copy($file, "$cache/$module.ko") or return "$module: $!";
    }
    my ($vmlinuz) = glob "$dir/root/boot/vmlinuz-*";
    copy($vmlinuz, "$cache/vmlinuz") or return "vmlinuz: $!";
    unlink $deb;
    return '';
}

sub why_not {
    return 'the emulated machine is an x86-64 one' unless `uname -m` eq "x86_64\n";
    return 'qemu-system-x86_64 is not installed' unless _which('qemu-system-x86_64');
    my $busybox = _which('busybox');
    return 'busybox-static is not installed' unless $busybox && `ldd '$busybox' 2>&1` =~ /not a dynamic|statically/;
    return 'no program for the guest: ./build.sh build tests' unless -x dirname(_oiduna()) . '/t/guest';
    return _kernel();
}

sub _oiduna { return abs_path($ENV{OIDUNA} || 'build/oiduna') }

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
for m in MODULES; do insmod /modules/$m.ko || echo "insmod $m failed"; done
mkdir -p /out
sh /script >/out/script 2>&1
for f in /out/*; do echo "=== ${f#/out/}"; cat $f; echo; done
echo "=== end"
poweroff -f
SH

sub run {
    my (%o) = @_;
    my $root = tempdir(CLEANUP => 1);
    my $top = dirname(_oiduna());
    _put($root, '/init', $init =~ s/MODULES/@modules/r, 0755);
    _put($root, '/script', $o{script});
    _put($root, "/files/$_", $o{files}{$_}) for keys %{ $o{files} || {} };
    make_path(map { "$root/$_" } qw(bin proc sys dev modules));
    copy("$cache/$_.ko", "$root/modules/$_.ko") for @modules;
    _program($root, _which('busybox'), '/bin/busybox');
    _program($root, _oiduna(), '/bin/oiduna');
    _program($root, "$top/t/guest", '/bin/guest');
    for (qw(aplaymidi aconnect)) { _program($root, _which($_), "/bin/$_") if _which($_); }
    system("mkdir -p '$root/usr/share' && cp -rL /usr/share/alsa '$root/usr/share/' && cd '$root' && find . | "
        . "busybox cpio -o -H newc >../initrd.$$ 2>/dev/null") == 0 or die 'no initrd';
    my $initrd = dirname($root) . "/initrd.$$";
    my $machine = $o{machine} || '-accel tcg -smp 2';
    my $command = "timeout $o{seconds} qemu-system-x86_64 $machine -cpu max -m 512 -nographic -no-reboot -nic none "
        . "-kernel $cache/vmlinuz -initrd $initrd -append 'console=ttyS0 quiet panic=1 loglevel=1' </dev/null 2>&1";
    my $console = `$command`;
    unlink $initrd;
    $console =~ s/\r//g;
    my %file;
    while ($console =~ /^=== (\S+)\n(.*?)(?=^=== )/msg) { $file{$1} = $2; }
    $file{console} = $console;
    diag(substr $console, -3000) unless $console =~ /^=== end$/m;
    return \%file;
}

1;
