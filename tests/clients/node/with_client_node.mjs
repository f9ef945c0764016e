// @kubernetes/client-node: an informer, a watch, logs, exec, attach, port-forward, patches and typed objects.

import assert from 'node:assert/strict';
import net from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import * as k8s from '@kubernetes/client-node';

const namespace = process.env.NAMESPACE;
const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);

/** Wait for an event that `subscribe` is told of; fail after a while. */
function within(what, subscribe, milliseconds = 150_000) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not within ${milliseconds} ms: ${what}`)), milliseconds);
    const settle = (act) => (value) => {
      clearTimeout(timer);
      act(value);
    };
    Promise.resolve(subscribe(settle(resolve), settle(reject))).catch(settle(reject));
  });
}

const web = {
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      { name: 'nginx', image: 'nginx:1.25', ports: [{ containerPort: 80 }] },
      { name: 'talker', image: 'busybox:1.36', command: ['sh', '-c', 'echo one; echo two; exec sleep 600'] },
    ],
  },
};

async function podByInformer() {
  const path = `/api/v1/namespaces/${namespace}/pods`;
  const informer = k8s.makeInformer(config, path, () => core.listNamespacedPod({ namespace }));
  informer.on('error', () => setTimeout(() => informer.start(), 100));
  const ready = within('the pod is Ready', (resolve) => {
    const look = (pod) => {
      const conditions = pod.status?.conditions ?? [];
      if (conditions.some((each) => each.type === 'Ready' && each.status === 'True')) resolve(pod);
    };
    informer.on('add', look);
    informer.on('update', look);
  });
  await informer.start();
  await core.createNamespacedPod({ namespace, body: web });
  await ready;
  assert.equal(informer.get('web', namespace).status.phase, 'Running');
  assert.deepEqual(informer.list(namespace).map((pod) => pod.metadata.name), ['web']);
  return informer;
}

async function watchOfMaps() {
  const seen = [];
  const watch = new k8s.Watch(config);
  let stop;
  const done = within('a ConfigMap goes', async (resolve, reject) => {
    stop = await watch.watch(
      `/api/v1/namespaces/${namespace}/configmaps`,
      { allowWatchBookmarks: true, labelSelector: 'seen=yes' },
      (type, map) => {
        seen.push([type, map.data?.a]);
        if (type === 'DELETED') resolve();
      },
      (error) => error && error.name !== 'AbortError' && reject(error),
    );
  });
  const body = { metadata: { name: 'settings', labels: { seen: 'yes' } }, data: { a: '1' } };
  await core.createNamespacedConfigMap({ namespace, body });
  const patched = await core.patchNamespacedConfigMap(
    { namespace, name: 'settings', body: [{ op: 'replace', path: '/data/a', value: '2' }] },
    k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.JsonPatch),
  );
  assert.deepEqual(patched.data, { a: '2' });
  await core.deleteNamespacedConfigMap({ namespace, name: 'settings' });
  await done;
  stop.abort();
  assert.deepEqual(seen.filter(([type]) => type !== 'BOOKMARK'), [['ADDED', '1'], ['MODIFIED', '2'], ['DELETED', '2']]);
  await assert.rejects(core.readNamespacedConfigMap({ namespace, name: 'settings' }), { code: 404 });
}

async function logs() {
  let last = '';
  for (const deadline = Date.now() + 150_000; last !== 'two\n' && Date.now() < deadline; ) { // it runs, and is about to
    const stream = new PassThrough();
    await new k8s.Log(config).log(namespace, 'web', 'talker', stream, { tailLines: 1 });
    last = await text(stream);
  }
  assert.equal(last, 'two\n');
  const talker = {
    metadata: { name: 'talker' },
    spec: {
      restartPolicy: 'Never',
      containers: [{ name: 'main', image: 'busybox:1.36', command: ['sh', '-c', 'echo one; sleep 1; echo two'] }],
    },
  };
  await core.createNamespacedPod({ namespace, body: talker });
  let watching;
  await within('the talker runs', async (resolve, reject) => {
    watching = await new k8s.Watch(config).watch(
      `/api/v1/namespaces/${namespace}/pods`,
      { fieldSelector: 'metadata.name=talker' },
      (_, pod) => pod.status?.phase !== 'Pending' && resolve(),
      (error) => error && error.name !== 'AbortError' && reject(error),
    );
  });
  watching.abort();
  const following = new PassThrough();
  await new k8s.Log(config).log(namespace, 'talker', 'main', following, { follow: true });
  assert.equal(await text(following), 'one\ntwo\n');
}

async function exec() {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const command = ['sh', '-c', 'tr a-z A-Z; echo oops >&2; exit 3'];
  const status = await within('the command ends', (resolve) =>
    new k8s.Exec(config).exec(
      namespace, 'web', 'talker', command, stdout, stderr, Readable.from([Buffer.from('hello')]), false, resolve),
  );
  assert.equal(await text(stdout), 'HELLO');
  assert.equal(await text(stderr), 'oops\n');
  assert.equal(status.reason, 'NonZeroExitCode');
  assert.equal(status.details.causes[0].message, '3');
}

async function portForward() {
  const forward = new k8s.PortForward(config);
  const server = net.createServer((socket) => forward.portForward(namespace, 'web', [80], socket, null, socket));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = net.connect(server.address().port, '127.0.0.1');
  socket.write('GET / HTTP/1.0\r\n\r\n');
  let said = '';
  await within('the page', (resolve) =>
    socket.on('data', (piece) => (said += piece).includes('Welcome to nginx!') && resolve()));
  socket.end();
  server.close();
}

async function typedObjects() {
  const objects = k8s.KubernetesObjectApi.makeApiClient(config);
  const [deployment] = k8s.loadAllYaml(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: other, namespace: ${namespace}}
spec:
  replicas: 0
  selector: {matchLabels: {app: other}}
  template:
    metadata: {labels: {app: other}}
    spec: {containers: [{name: main, image: 'busybox:1.36'}]}
`);
  await objects.create(deployment);
  const scale = await apps.readNamespacedDeploymentScale({ namespace, name: 'other' });
  assert.equal(scale.spec.replicas, 0);
  const applied = await objects.patch(
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'other', namespace }, spec: { replicas: 1 } },
    undefined, undefined, 'node', true, k8s.PatchStrategy.ServerSideApply,
  );
  assert.equal(applied.spec.replicas, 1);
  assert.ok(applied.metadata.managedFields.some((each) => each.manager === 'node' && each.operation === 'Apply'));
  await objects.delete(deployment);
}

const informer = await podByInformer();
for (const step of [watchOfMaps, logs, exec, portForward, typedObjects]) {
  console.log(step.name); // where it fails, this is the last line
  await step();
}
const gone = within('the pod goes', (resolve) => informer.on('delete', resolve));
await core.deleteNamespacedPod({ namespace, name: 'web' });
await gone;
await informer.stop();
console.log('done');
process.exit(); // whatever the library keeps open
