//! The health check over HTTP: one GET through any client service.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{HOST, HeaderValue, USER_AGENT};
use http::{Request, Response, Uri};
use http_body::Body as HttpBody;
use tower_service::Service;
use vhttp::{Body, BoxError};

use crate::cause::chain;
use crate::config::Check;
use crate::endpoint::Endpoint;
use crate::health::active::Probe;

/// So much of an answer is read, so that its connection can be used again; a longer one is cut.
const MAX_ANSWER: usize = 64 * 1024;

/// Asks through `client`; the check's timeout is the caller's business.
pub(crate) fn probe<C, B>(client: C, check: &Check) -> Probe
where
    C: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let check = Arc::new(check.clone());
    Arc::new(move |endpoint| {
        let request = request(&check, endpoint);
        let (client, check) = (client.clone(), Arc::clone(&check));
        Box::pin(async move {
            let response = send(client, request?).await.map_err(|error| chain(&*error))?;
            let status = response.status();
            drain(response.into_body()).await?;
            if check.status.contains(status) {
                Ok(())
            } else {
                Err(format!("status {}, not {}", status.as_u16(), check.status))
            }
        })
    })
}

fn request(check: &Check, endpoint: &Endpoint) -> Result<Request<Body>, String> {
    let address = &endpoint.address;
    let uri = Uri::builder()
        .scheme(address.scheme().clone())
        .authority(address.authority().clone())
        .path_and_query(check.path.clone());
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri.build().map_err(|error| error.to_string())?;
    let host = check.host.as_ref().unwrap_or_else(|| address.host());
    request.headers_mut().insert(HOST, host.clone());
    let agent = HeaderValue::from_static("vbalance-health");
    request.headers_mut().insert(USER_AGENT, agent);
    Ok(request)
}

async fn send<C>(mut client: C, request: Request<Body>) -> Result<C::Response, BoxError>
where
    C: Service<Request<Body>, Error: Into<BoxError>>,
{
    poll_fn(|cx| client.poll_ready(cx)).await.map_err(Into::into)?;
    client.call(request).await.map_err(Into::into)
}

async fn drain<B>(body: B) -> Result<(), String>
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>>,
{
    let (mut body, mut read) = (pin!(body), 0);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let frame = frame.map_err(|error| chain(&*error.into()))?;
        read += frame.data_ref().map_or(0, Bytes::len);
        if read > MAX_ANSWER {
            break;
        }
    }
    Ok(())
}
