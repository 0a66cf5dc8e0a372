// A Raspberry Pi Pico in rp2040js: node rp2040.mjs <firmware.bin> <TCP port> <boot ROM module>
// Its USB CDC port is a TCP port of this computer. The firmware is what a vendor's build made, unchanged: it starts in
// the boot ROM's tables as on a chip whose second-stage boot loader is the firmware's first 256 bytes.
// The boot ROM is Raspberry Pi's and not in the package: a module that exports `bootromB1`, as in rp2040js's demo.
// The board `rp2040js_pico` is the same chip over its UART, without the boot ROM; the line is the same code.
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { Line } from '../../templates/runners/rp2040js.mjs';

const FLASH_BEGIN = 0x10000000;
const [firmware, port, bootrom] = process.argv.slice(2);
// The package stands beside the boot ROM.
const { ConsoleLogger, LogLevel, Simulator, USBCDC } = createRequire(path.resolve(bootrom))('rp2040js');
const { bootromB1 } = await import(pathToFileURL(path.resolve(bootrom)).href);

const simulator = new Simulator();
const chip = simulator.rp2040;
chip.logger = new ConsoleLogger(LogLevel.None);
chip.loadBootrom(bootromB1);
chip.flash.fill(0xff);
chip.flash.set(fs.readFileSync(firmware), 0);

let fromHost = Buffer.alloc(0);
const line = new Line((bytes) => { fromHost = Buffer.concat([fromHost, bytes]); });
const usb = new USBCDC(chip.usbCtrl);
usb.onSerialData = (bytes) => line.write(Buffer.from(bytes));

// As a host's driver does: no more than the endpoint's FIFO takes.
setInterval(() => {
  let sent = 0;
  while (sent < fromHost.length && !usb.txFIFO.full) usb.sendSerialByte(fromHost[sent++]);
  fromHost = fromHost.subarray(sent);
}, 1);

// Listening says that the board is there: only once the host has configured its USB port.
usb.onDeviceConnected = () => line.listen(port);

chip.core.PC = FLASH_BEGIN;
simulator.execute();
