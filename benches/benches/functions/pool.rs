//! Taking a connection out of a pool and giving it back.

use std::convert::Infallible;

use benches::redis_server::RedisServer;
use criterion::Criterion;
use deadpool::managed::{Manager, Metrics, Pool as Deadpool, RecycleResult};
use tokio::runtime::Runtime;

/// Connections that cost nothing, so that what is measured is the pool.
struct Nothing;

impl Manager for Nothing {
    type Type = ();
    type Error = Infallible;

    async fn create(&self) -> Result<(), Infallible> {
        Ok(())
    }

    async fn recycle(&self, (): &mut (), _: &Metrics) -> RecycleResult<Infallible> {
        Ok(())
    }
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    bare(criterion, &runtime);
    redis(criterion, &runtime);
}

fn bare(criterion: &mut Criterion, runtime: &Runtime) {
    let guard = runtime.enter();
    let ours = vpool::Pool::builder(Nothing).build().expect("the default settings are right");
    let theirs: Deadpool<Nothing> =
        Deadpool::builder(Nothing).max_size(16).build().expect("the settings are right");
    drop(guard);
    let mut group = criterion.benchmark_group("pool, get and give back");
    group.bench_function("verve", |bencher| {
        bencher.to_async(runtime).iter(|| async { ours.get().await.is_ok() });
    });
    group.bench_function("deadpool", |bencher| {
        bencher.to_async(runtime).iter(|| async { theirs.get().await.is_ok() });
    });
    group.finish();
}

/// With what each does to a connection before it is used again: deadpool-redis pings it, ours only
/// when it was idle for a second.
fn redis(criterion: &mut Criterion, runtime: &Runtime) {
    let server = RedisServer::start().expect("redis-server can be started");
    let guard = runtime.enter();
    let config = vpool::redis::Config { url: server.url(), ..vpool::redis::Config::default() };
    let ours = vpool::redis::Redis::new(config).expect("the address is right");
    let ours = vpool::Pool::builder(ours).build().expect("the default settings are right");
    let theirs = deadpool_redis::Config::from_url(server.url());
    let theirs = theirs.create_pool(Some(deadpool_redis::Runtime::Tokio1)).expect("a pool");
    drop(guard);
    let mut group = criterion.benchmark_group("pool, get, one GET, give back");
    group.bench_function("verve", |bencher| {
        bencher.to_async(runtime).iter(|| async {
            let mut connection = ours.get().await.expect("Redis answers");
            redis::cmd("GET").arg("key").query_async::<Option<String>>(&mut *connection).await
        });
    });
    group.bench_function("deadpool-redis", |bencher| {
        bencher.to_async(runtime).iter(|| async {
            let mut connection = theirs.get().await.expect("Redis answers");
            redis::cmd("GET").arg("key").query_async::<Option<String>>(&mut *connection).await
        });
    });
    group.finish();
}
