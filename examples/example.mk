# What the examples share. make run GRAPH=network.npz [PHOTO=photo.jpg]; make size; make clean

ifneq ($(MAKECMDGOALS),clean)
GRAPH ?= $(error say which network: make run GRAPH=network.npz, as tools/make_graph.py writes it)
endif
PHOTO ?= sample
BUILD ?= build
PYTHON ?= python
CFLAGS ?= -O2
ARM = arm-none-eabi-
EXAMPLES := $(dir $(lastword $(MAKEFILE_LIST)))
FIRMWARE = $(BUILD)/firmware
CORTEX_M = $(FIRMWARE)/demo/cortex_m

.PHONY: run elf size clean FORCE
run: elf
	@qemu-system-arm -M $(MACHINE) -display none -monitor none -serial stdio -icount shift=6 \
	    -semihosting-config enable=on,target=native -device loader,file=$(BUILD)/frame.bin,addr=0x21000000,force-raw=on \
	    -kernel $(BUILD)/example.elf

elf: $(BUILD)/example.elf $(BUILD)/frame.bin

size: $(BUILD)/example.elf
	@$(ARM)size -A $<

# What is chosen on the command line: written when it has changed, so that what was made by another choice is made anew.
$(BUILD)/chosen: FORCE
	@mkdir -p $(BUILD); echo '$(GRAPH) $(PHOTO) $(MCU) $(CAMERA)' | cmp -s - $@ || echo '$(GRAPH) $(PHOTO) $(MCU) $(CAMERA)' >$@

$(FIRMWARE)/report.json: $(GRAPH) $(BUILD)/chosen
	$(PYTHON) $(EXAMPLES)../tools/export_c.py --graph $(GRAPH) --mcu $(MCU) --camera $(CAMERA) --out $(FIRMWARE)

$(BUILD)/frame.bin $(BUILD)/names.h &: $(GRAPH) $(BUILD)/chosen $(filter-out sample,$(PHOTO))
	$(PYTHON) $(EXAMPLES)prepare.py --graph $(GRAPH) --camera $(CAMERA) --photo $(PHOTO) --out $(BUILD)

# A project's own make file would name the sources of $(FIRMWARE)/src one by one. The start-up is that of the demo.
$(BUILD)/example.elf: main.c $(EXAMPLES)board.c $(EXAMPLES)board.h $(FIRMWARE)/report.json $(BUILD)/names.h
	$(ARM)gcc -mcpu=$(CORE) -mthumb -std=c99 -Wall -Wextra -Werror $(CFLAGS) -ffunction-sections -fdata-sections \
	    -I$(EXAMPLES) -I$(FIRMWARE)/include -I$(FIRMWARE)/demo -I$(BUILD) main.c $(EXAMPLES)board.c $(FIRMWARE)/src/*.c \
	    $(CORTEX_M)/port.c -nostartfiles -L$(CORTEX_M) -Wl,--gc-sections,-T$(CORTEX_M)/$(MCU).ld -o $@

clean:
	rm -rf $(BUILD)
