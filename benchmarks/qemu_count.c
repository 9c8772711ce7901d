/* A plugin for QEMU: what the instruction at each address of a microcontroller's flash did, by part of the program.
 *
 *     gcc -shared -fPIC -O2 -o qemu_count.so qemu_count.c
 *     qemu-system-arm ... -plugin ./qemu_count.so,out=counts,begin=0x40:1,begin=0x1f0:2
 *
 * Part p, of 1 to 7, goes on from each time that the instruction at such an address is executed; at first it is part 0.
 * Writes a `record` for each part and address. QEMU's packages come without its header: declared here is what is used
 * of version 1 of its interface.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct qemu_info_t qemu_info_t;
enum { CB_NO_REGS = 0, MEM_RW = 3 };

int qemu_plugin_version = 1;

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*translated)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*at_exit)(qemu_plugin_id_t, void *), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*executed)(unsigned, void *),
                                            int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
                                      void (*accessed)(unsigned, qemu_plugin_meminfo_t, uint64_t, void *), int flags,
                                      int direction, void *data);
unsigned qemu_plugin_mem_size_shift(qemu_plugin_meminfo_t info);

#define FLASH_BYTES (1u << 22) /* from address 0 on */
#define PARTS 8

typedef struct {
    uint32_t part, address;
    uint64_t executed;
    uint64_t left; /* how often another instruction than the one behind it came next */
    /* Accesses to memory beyond the one that an instruction makes: 1 where a word lies on an odd halfword or a halfword
     * on an odd byte, 2 where a word lies on an odd byte. */
    uint64_t unaligned;
} record;

static record records[PARTS][FLASH_BYTES / 2];
static uint8_t begins[FLASH_BYTES / 2];
static unsigned part;
static uint32_t next;    /* behind the last instruction executed */
static uint64_t *leaves; /* its record's `left` */
static char path[4096];

static void executed(unsigned cpu, void *data)
{
    const uint32_t address = (uint32_t)((uintptr_t)data >> 3);
    (void)cpu;
    if (leaves && address != next)
        ++*leaves;
    if (begins[address / 2])
        part = begins[address / 2];
    record *const of = &records[part][address / 2];
    of->executed++;
    next = address + ((uintptr_t)data & 7);
    leaves = &of->left;
}

static void accessed(unsigned cpu, qemu_plugin_meminfo_t info, uint64_t at, void *data)
{
    const unsigned shift = qemu_plugin_mem_size_shift(info);
    (void)cpu;
    if (shift == 2 || shift == 1)
        records[part][(uintptr_t)data >> 4].unaligned += at & 1 ? shift : shift == 2 && at & 2;
}

/* By its first halfword: QEMU's own size has what it looked at behind an instruction at the end of a page. */
static unsigned bytes_of(const struct qemu_plugin_insn *insn)
{
    const uint8_t *const data = qemu_plugin_insn_data(insn);
    return data[1] >= 0xe8 ? 4 : 2;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *const insn = qemu_plugin_tb_get_insn(tb, i);
        const uintptr_t address = (uintptr_t)qemu_plugin_insn_vaddr(insn);
        if (address < FLASH_BYTES) {
            void *const data = (void *)(address << 3 | bytes_of(insn));
            qemu_plugin_register_vcpu_insn_exec_cb(insn, executed, CB_NO_REGS, data);
            qemu_plugin_register_vcpu_mem_cb(insn, accessed, CB_NO_REGS, MEM_RW, data);
        }
    }
}

static void at_exit(qemu_plugin_id_t id, void *data)
{
    (void)id, (void)data;
    FILE *const out = fopen(path, "wb");
    for (uint32_t p = 0; out && p < PARTS; p++)
        for (uint32_t i = 0; i < FLASH_BYTES / 2; i++)
            if (records[p][i].executed) {
                records[p][i].part = p;
                records[p][i].address = 2 * i;
                fwrite(&records[p][i], sizeof(record), 1, out);
            }
    if (!out || fclose(out))
        perror(path);
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        unsigned address, number;
        if (!strncmp(argv[i], "out=", 4) && strlen(argv[i]) < sizeof path) {
            strcpy(path, argv[i] + 4);
        } else if (sscanf(argv[i], "begin=%x:%u", &address, &number) == 2 && address < FLASH_BYTES && number < PARTS) {
            begins[address / 2] = (uint8_t)number;
        } else {
            fprintf(stderr, "qemu_count: %s is not out=FILE or begin=ADDRESS:PART\n", argv[i]);
            return 1;
        }
    }
    if (!*path) {
        fputs("qemu_count: give it out=FILE\n", stderr);
        return 1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
