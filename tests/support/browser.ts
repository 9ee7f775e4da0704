/** How the tests start Chromium. */
export { CHROMIUM_FLAGS } from "#lib/client/chromium.ts";

/** A software WebGPU adapter: exact enough to test kernels, far too slow to measure them. */
export const SOFTWARE_WEBGPU_FLAGS: readonly string[] = [
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan",
  "--use-webgpu-adapter=swiftshader",
  "--ignore-gpu-blocklist",
];
