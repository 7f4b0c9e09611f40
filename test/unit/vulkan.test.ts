/** What is said of Vulkan before Dawn is asked: the folders are real ones, made for the test. */
import { strict as assert } from 'node:assert';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { hasVulkanDriver, vulkanObstacle } from '@freshet/trainer/learn/backends/vulkan';
import { temporaryDirectory } from '../support/temporary-directory.ts';

describe('Vulkan', () => {
  it('is not asked for where Dawn uses something else', () => {
    assert.equal(vulkanObstacle({}, 'darwin'), null);
    assert.equal(vulkanObstacle({}, 'win32'), null);
  });

  it('has a driver where the environment names one', () => {
    for (const name of ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_ADD_DRIVER_FILES']) {
      assert.ok(hasVulkanDriver({ [name]: '/opt/driver.json' }));
    }
  });

  it('has a driver where one has left its manifest', (test) => {
    const root = temporaryDirectory(test);
    const folder = join(root, 'second/vulkan/icd.d');
    mkdirSync(folder, { recursive: true });
    const environment = {
      HOME: root,
      XDG_CONFIG_DIRS: root,
      XDG_DATA_DIRS: `${join(root, 'first')}:${join(root, 'second')}`,
    };
    writeFileSync(join(folder, 'README'), '');
    assert.ok(!hasVulkanDriver(environment, []));
    writeFileSync(join(folder, 'gpu_icd.json'), '{}');
    assert.ok(hasVulkanDriver(environment, []));
  });
});
