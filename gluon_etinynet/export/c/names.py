"""Prefixes that an exported network can have: names of C, of its libraries and of the build are taken."""

import re

from ...files import InputError

__all__ = ["check_prefix"]

LONGEST = 64

# Compared without regard to case, as some file systems do: include/String.h would be found for <string.h>.
_TAKEN = {name: reason for reason, names in {
    "a keyword of C or C++":
        "alignas alignof and and_eq asm auto bitand bitor bool break case catch char char8_t char16_t char32_t class "
        "compl concept const const_cast consteval constexpr constinit continue co_await co_return co_yield decltype "
        "default delete do double dynamic_cast else enum explicit export extern false final float for friend goto if "
        "import inline int interface long module mutable namespace new noexcept not not_eq nullptr operator or or_eq "
        "override private protected public register reinterpret_cast requires restrict return short signed sizeof "
        "static static_assert static_cast struct switch template this thread_local throw true try typedef typeid "
        "typename typeof typeof_unqual union unsigned using virtual void volatile wchar_t while xor xor_eq",
    # C, POSIX, and what glibc, newlib, picolibc and vendors' kits add.
    "the name of a header of the system":
        "a_out aio aliases alloca ansidecl ar arduino argp argz assert bits byteswap cmath cmsis_gcc complex "
        "cpio crypt ctype "
        "device devctl dirent dlfcn elf endian envz err errno error execinfo fastmath fcntl features fenv float fmtmsg "
        "fnmatch fstab fts ftw gconv getopt glob gnu_versions grp gshadow iconv ieeefp ifaddrs inttypes iso646 "
        "langinfo lastlog libgen libintl limits link locale machine main malloc math mcheck memory mntent monetary "
        "mqueue ndbm netdb newlib nl_types nss obstack paths picolibc poll printf proc_service process pthread pty pwd "
        "re_comp regdef regex regexp reent reg resolv rpmatch sched search semaphore setjmp sgtty shadow signal spawn "
        "stab stdalign stdarg stdatomic stdbit stdbool stdckdint stddef stdint stdio stdio_ext stdlib stdnoreturn "
        "string strings stropts syscall sysexits syslog tar term termio termios tgmath thread_db threads time "
        "trace ttyent uchar ucontext ulimit unctrl unistd unwind utime utmp utmpx values varargs wait wchar wctype "
        "wordexp windows core_cm0 core_cm3 core_cm4 core_cm7 xlocale zephyr",
    "the beginning of functions of the system's": "atomic atomic_flag cnd mtx res sem svc",
    "a name of the exported folder's build":
        "all all_build c clean debug demo depend edit_cache flags general help include install link_private "
        "link_public m optimized package package_source preinstall rebuild_cache run_tests src test "
        "zero_check",
    "a device of Windows": "con prn aux nul " + " ".join(f"{port}{i}" for port in ("com", "lpt") for i in range(10)),
}.items() for name in names.split()}


def check_prefix(prefix):
    """Raise InputError, with the reason, if `prefix` cannot begin every global name and name the header."""
    if not re.match(r"[A-Za-z][A-Za-z0-9_]*\Z", prefix):
        shown = " ".join(prefix.split())
        raise InputError(f"prefix {shown} is no C identifier; take letters of ASCII, digits and underscores, a letter "
                         "first")
    if len(prefix) > LONGEST:
        raise InputError(f"prefix {prefix[:16]}... has more than {LONGEST} characters; take a shorter one")
    name = prefix.lower()
    taken = _TAKEN.get(name)
    if name == "etn" or name.startswith("etn_"):
        taken = "the beginning of the runtime's names"
    elif name.startswith(("pthread_", "posix_")):
        taken = "the beginning of functions of the system's"
    if taken:
        raise InputError(f"prefix {prefix} is {taken}; choose another")
