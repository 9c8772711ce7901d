/* A plugin for QEMU: how often the instruction at each address of a microcontroller's flash was executed.
 *
 *     gcc -shared -fPIC -O2 -o qemu_count.so qemu_count.c
 *     qemu-system-arm ... -plugin ./qemu_count.so,out=counts
 *
 * Writes pairs of an address (uint32) and a count (uint64). QEMU's packages come without its header: declared here is
 * what is used of version 1 of its interface.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef struct qemu_info_t qemu_info_t;
enum { INLINE_ADD_U64 };

int qemu_plugin_version = 1;

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*translated)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*at_exit)(qemu_plugin_id_t, void *), void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int operation, void *counter,
                                                uint64_t amount);

#define FLASH_BYTES (1u << 22) /* from address 0 on */

static uint64_t counts[FLASH_BYTES / 2];
static char path[4096];

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *const insn = qemu_plugin_tb_get_insn(tb, i);
        const uint64_t address = qemu_plugin_insn_vaddr(insn);
        if (address < FLASH_BYTES)
            qemu_plugin_register_vcpu_insn_exec_inline(insn, INLINE_ADD_U64, &counts[address / 2], 1);
    }
}

static void at_exit(qemu_plugin_id_t id, void *data)
{
    (void)id, (void)data;
    FILE *const out = fopen(path, "wb");
    for (uint32_t i = 0; out && i < FLASH_BYTES / 2; i++)
        if (counts[i]) {
            const uint32_t address = 2 * i;
            fwrite(&address, sizeof address, 1, out);
            fwrite(&counts[i], sizeof counts[i], 1, out);
        }
    if (!out || fclose(out))
        perror(path);
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4) || strlen(argv[0]) >= sizeof path) {
        fputs("qemu_count: give it out=FILE\n", stderr);
        return 1;
    }
    strcpy(path, argv[0] + 4);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, at_exit, NULL);
    return 0;
}
