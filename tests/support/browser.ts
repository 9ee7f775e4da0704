/** How the tests start Chromium: quiet, offline, and as root where a container is root. */

export const CHROMIUM_FLAGS: readonly string[] = [
  ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** A software WebGPU adapter: exact enough to test kernels, far too slow to measure them. */
export const SOFTWARE_WEBGPU_FLAGS: readonly string[] = [
  "--enable-unsafe-webgpu",
  "--enable-features=Vulkan",
  "--use-webgpu-adapter=swiftshader",
  "--ignore-gpu-blocklist",
];
