// Graphics devices as they are elsewhere, made of the software one: lines that run in the worker before its own.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DIST } from './paths.mjs';
import { script } from './worker.mjs';

const MIB = 2 ** 20;

/** What every adapter has, and many have no more, where the engine looks: WebGPU's default limits. */
export const DEFAULTS = {
  maxBindGroups: 4,
  maxBufferSize: 256 * MIB,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupSizeY: 256,
  maxComputeWorkgroupSizeZ: 64,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeWorkgroupsPerDimension: 65535,
  maxStorageBufferBindingSize: 128 * MIB,
  maxStorageBuffersPerShaderStage: 8,
};

/** Adapter and device tell of limits that are at most these, and a buffer or binding beyond them throws. */
export function lowered(limits) {
  return `
    const low = ${JSON.stringify(limits)};
    for (const { prototype } of [GPUAdapter, GPUDevice]) {
      const { get } = Object.getOwnPropertyDescriptor(prototype, 'limits');
      const told = all => {
        const names = Object.keys(Object.getPrototypeOf(all)).filter(name => typeof all[name] === 'number');
        return Object.fromEntries(names.map(name => [name, Math.min(all[name], low[name] ?? Infinity)]));
      };
      Object.defineProperty(prototype, 'limits', { get() { return told(get.call(this)); } });
    }
    const within = (size, most, what) => {
      if (size > most) throw new Error(what + ' of ' + size + ' bytes');
    };
    const { createBuffer, createBindGroup } = GPUDevice.prototype;
    GPUDevice.prototype.createBuffer = function (wanted) {
      within(wanted.size, low.maxBufferSize, 'a buffer');
      return createBuffer.call(this, wanted);
    };
    GPUDevice.prototype.createBindGroup = function (wanted) {
      for (const { resource: { buffer, offset = 0, size = buffer.size - offset } } of wanted.entries) {
        within(size, low.maxStorageBufferBindingSize, 'a binding');
      }
      return createBindGroup.call(this, wanted);
    };`;
}

/**
 * The page's device is lost in the middle of work: a little after its worker has said something with this text in it, as
 * many workers as `times` says. Those after them keep theirs.
 */
export function losing(site, text, times) {
  const name = script().replace(/^\.\//, '');
  const own = readFileSync(join(DIST, name), 'utf8');
  const lose = `
    let left = Infinity;
    let device;
    const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...wanted) {
      device = await requestDevice.apply(this, wanted);
      return device;
    };
    const { submit } = GPUQueue.prototype;
    GPUQueue.prototype.submit = function (...work) {
      submit.apply(this, work);
      left -= 1;
      if (left === 0) device.destroy();
    };
    const say = self.postMessage.bind(self);
    self.postMessage = (message, ...more) => {
      if (message.json?.includes(${JSON.stringify(text)})) left = Math.min(left, 10);
      say(message, ...more);
    };
    ${own}`;
  let begun = 0;
  site.pages[name] = () => (begun++ < times ? lose : own);
}
