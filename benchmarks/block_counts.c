/* A plugin for QEMU: how often every translation block ran between two addresses, exactly.
 *
 *   -plugin block_counts.so,out=<file>,start=<hex address>,stop=<hex address>
 *
 * writes one line per block: address (hex), instructions, executions, executions that fell through from the block
 * before in memory. The prototypes stand here because Debian does not ship qemu-plugin.h (API version 1). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

struct qemu_plugin_tb;
struct qemu_plugin_insn;
typedef uint64_t qemu_plugin_id_t;
typedef void (*translation_callback)(qemu_plugin_id_t, struct qemu_plugin_tb*);
typedef void (*execution_callback)(unsigned, void*);
typedef void (*exit_callback)(qemu_plugin_id_t, void*);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translation_callback);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb*, execution_callback, int, void*);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t, exit_callback, void*);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb*);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb*);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb*, size_t);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn*);

EXPORTED int qemu_plugin_version = 1;

struct block {
    uint64_t address;
    uint64_t bytes;
    uint64_t instructions;
    uint64_t executions;
    uint64_t fallen_into;
    struct block* next;
};

static struct block* blocks;
static struct block* previous;
static uint64_t start, stop;
static bool counting;
static char path[512];

static void on_execution(unsigned cpu, void* data) {
    (void)cpu;
    struct block* const block = data;
    if (block->address == stop) {
        counting = false;
    }
    if (counting) {
        block->executions++;
        /* The block before did not take the branch at its end. */
        if (previous != NULL && previous->address + previous->bytes == block->address) {
            previous->fallen_into++;
        }
        previous = block;
    }
    if (block->address == start) {
        counting = true;
        previous = NULL;
    }
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb* tb) {
    (void)id;
    struct block* const block = calloc(1, sizeof *block);
    if (block == NULL) {
        abort();
    }
    block->address = qemu_plugin_tb_vaddr(tb);
    block->instructions = qemu_plugin_tb_n_insns(tb);
    for (size_t i = 0; i < block->instructions; i++) {
        block->bytes += qemu_plugin_insn_size(qemu_plugin_tb_get_insn(tb, i));
    }
    block->next = blocks;
    blocks = block;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, on_execution, 0, block);
}

static void on_end(qemu_plugin_id_t id, void* data) {
    (void)id;
    (void)data;
    FILE* const file = fopen(path, "w");
    if (file == NULL) {
        abort();
    }
    for (const struct block* block = blocks; block != NULL; block = block->next) {
        if (block->executions > 0) {
            fprintf(file, "%llx %llu %llu %llu\n", (unsigned long long)block->address,
                    (unsigned long long)block->instructions, (unsigned long long)block->executions,
                    (unsigned long long)block->fallen_into);
        }
    }
    fclose(file);
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const void* info, int argc, char** argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], "out=", 4) == 0) {
            snprintf(path, sizeof path, "%s", argv[i] + 4);
        } else if (strncmp(argv[i], "start=", 6) == 0) {
            start = strtoull(argv[i] + 6, NULL, 16);
        } else if (strncmp(argv[i], "stop=", 5) == 0) {
            stop = strtoull(argv[i] + 5, NULL, 16);
        }
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
