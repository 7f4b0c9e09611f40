/**
 * Whether Vulkan can be had on this machine. Asked before Dawn is: on a machine without it, Dawn writes warnings to
 * stderr that no option turns off, and says nothing of what is missing to who asked.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Unusable, unusable } from './backend.ts';

/** What is read of the process's environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

const LOADER = 'libvulkan.so.1';
const SYSTEM = ['/etc', '/usr/local/etc'] as const;

/** What keeps Vulkan from running, or null when nothing is known to. Other systems than Linux do not need it. */
export function vulkanObstacle(
  environment: Environment,
  platform: NodeJS.Platform = process.platform,
): Unusable | null {
  if (platform !== 'linux') return null;
  if (!hasLoader()) {
    return unusable(
      `there is no Vulkan loader (${LOADER})`,
      'install it (Debian: apt-get install libvulkan1)',
    );
  }
  if (!hasVulkanDriver(environment)) {
    return unusable(
      'there is no Vulkan driver',
      "install the GPU's driver with its Vulkan part; in a container on NVIDIA, set NVIDIA_DRIVER_CAPABILITIES=all",
    );
  }
  return null;
}

/** Node.js has no `dlopen` but that for addons: a library that is no addon is found, loaded, and then refused. */
function hasLoader(): boolean {
  try {
    process.dlopen({ exports: {} }, LOADER);
    return true;
  } catch (error) {
    return error instanceof Error && error.message.includes('did not self-register');
  }
}

/** Whether a driver is named by the environment, or has left its manifest where the loader looks. */
export function hasVulkanDriver(environment: Environment, system: readonly string[] = SYSTEM): boolean {
  const isNamed = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_ADD_DRIVER_FILES'].some(
    (name) => environment[name],
  );
  return isNamed || manifestFolders(environment, system).some(hasManifest);
}

/**
 * Where the loader looks for what drivers have put there: "Driver Discovery on Linux" in LoaderDriverInterface.md of
 * the Khronos Vulkan-Loader.
 */
function manifestFolders(environment: Environment, system: readonly string[]): string[] {
  const home = environment['HOME'] ?? '/';
  const bases = [
    environment['XDG_CONFIG_HOME'] ?? join(home, '.config'),
    environment['XDG_CONFIG_DIRS'] ?? '/etc/xdg',
    ...system,
    environment['XDG_DATA_HOME'] ?? join(home, '.local/share'),
    environment['XDG_DATA_DIRS'] ?? '/usr/local/share:/usr/share',
  ];
  return bases.flatMap((paths) => paths.split(':')).map((base) => join(base, 'vulkan/icd.d'));
}

function hasManifest(folder: string): boolean {
  try {
    return readdirSync(folder).some((file) => file.endsWith('.json'));
  } catch {
    // Most of them do not exist on any one machine, and one that this user may not read is none of theirs.
    return false;
  }
}
