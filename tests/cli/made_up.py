# SPDX-License-Identifier: MIT
"""Machines that exist only as files: BENCHHOST_TEST_ROOT makes the program read /proc, /sys and /etc below a folder, for
its record of the machine, for `doctor` and for what disturbed a visit. Whatever is recorded then says so."""
import os
import pathlib

TICKS = os.sysconf("SC_CLK_TCK")
CPUS = sorted(os.sched_getaffinity(0)) # disturbances are read for the CPUs that we may use


class Machine:
    """Quiet and as it should be; `put` changes a file, `env` is what makes the program look at it."""

    def __init__(self, folder):
        self.root = pathlib.Path(folder)
        self.env = {"BENCHHOST_TEST_ROOT": str(self.root)}
        listed = ",".join(map(str, CPUS))
        self.put("proc/cpuinfo", "processor : 0\nmodel name : Made-Up 9000\nmicrocode : 0x1\nflags : fpu sse2\n")
        self.put("proc/self/status", f"Name:\tx\nCpus_allowed_list:\t{listed}\n")
        self.put("proc/meminfo", "MemTotal: 16000000 kB\nMemFree: 9000000 kB\nMemAvailable: 12000000 kB\n")
        self.put("proc/swaps", "Filename Type Size Used Priority\n")
        self.put("proc/loadavg", "0.00 0.01 0.02 1/100 4242\n")
        self.put("proc/sys/kernel/randomize_va_space", "2\n")
        self.put("proc/sys/kernel/osrelease", "6.1.0-test\n")
        self.put("proc/sys/kernel/perf_event_paranoid", "1\n")
        for kind in ("cpu", "memory", "io"):
            self.pressure(kind, 0)
        self.put("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n")
        self.put("sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n")
        self.put("sys/devices/system/node/online", "0\n")
        self.put("sys/devices/system/node/node0/cpulist", listed + "\n")
        self.put("sys/devices/system/cpu/online", listed + "\n")
        self.put("sys/devices/system/cpu/smt/active", "0\n")
        self.put("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n")
        for cpu in CPUS:
            self.put(f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor", "performance\n")
            self.put(f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list", f"{cpu}\n")
        self.stat()

    def put(self, path, text):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def remove(self, path):
        (self.root / path).unlink()

    def pressure(self, kind, total_us, avg10=0.0):
        line = f"avg10={avg10:.2f} avg60=0.00 avg300=0.00 total={total_us}\n"
        self.put(f"proc/pressure/{kind}", f"some {line}full {line}")

    def stat(self, user=1000, idle=9000, steal=0, running=1):
        """Ticks of each CPU so far; `running` counts the one who reads."""
        lines = [f"cpu{cpu} {user} 0 0 {idle} 0 0 0 {steal} 0 0" for cpu in CPUS]
        total = [len(CPUS) * x for x in (user, idle, steal)]
        self.put("proc/stat", f"cpu  {total[0]} 0 0 {total[1]} 0 0 0 {total[2]} 0 0\n" + "\n".join(lines)
                 + f"\nctxt 5000\nprocs_running {running}\n")

    def virtual(self, steal=1):
        """A guest whose hypervisor reports steal."""
        self.put("proc/cpuinfo", "processor : 0\nmodel name : Made-Up vCPU\nflags : fpu hypervisor\n")
        self.stat(steal=steal)

    def quota(self, cores, throttled=0, throttled_us=0):
        self.put("proc/self/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n")
        self.put("proc/self/cgroup", "0::/box\n")
        self.put("sys/fs/cgroup/box/cpu.max", f"{int(cores * 100000)} 100000\n")
        self.put("sys/fs/cgroup/box/cpu.stat", f"usage_usec 1\nnr_throttled {throttled}\nthrottled_usec {throttled_us}\n")

    def stealing_script(self, user=100, steal=100):
        """A shell script: each time that it runs, another `user` and `steal` ticks have passed on every CPU. Run by a
        cell (`command: {argv: "sh PATH"}`), it disturbs exactly the visits that it is part of."""
        script = self.root / "steal.sh"
        stat = self.root / "proc/stat"
        script.write_text(f"""exec 9>>'{self.root}/lock'
awk -v u={user} -v s={steal} '/^cpu/ {{ $2 += u; $9 += s }} {{ print }}' '{stat}' > '{stat}.new.'$$
mv '{stat}.new.'$$ '{stat}'
""")
        return script
