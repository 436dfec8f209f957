//! Results over HTTP.

use cache::{Digest, reapi};
use prost::Message as _;

use super::{Http, answer};
use crate::failure::Failure;
use crate::progress::Progress;

/// The largest result that is read. It names outputs, and has none of their bytes.
const MAX_RESULT: usize = 16 << 20;

impl Http {
    /// Reads a result; `None` if there is none.
    pub(crate) async fn result(
        &self,
        key: &Digest,
        progress: &Progress,
    ) -> Result<Option<reapi::ActionResult>, Failure> {
        let response = self.send(self.client.get(self.result_url(key))).await?;
        let Some(mut response) = answer::check(response).await? else { return Ok(None) };
        let unusable = || Failure::Rejected("a body that is no result".to_owned());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(answer::failure)? {
            progress.add(chunk.len());
            body.extend_from_slice(&chunk);
            if body.len() > MAX_RESULT {
                return Err(unusable());
            }
        }
        self.line.traffic.bytes_down.add(body.len() as u64);
        reapi::ActionResult::decode(&*body).map(Some).map_err(|_| unusable())
    }

    /// Writes a result.
    pub(crate) async fn publish(
        &self,
        key: &Digest,
        result: &reapi::ActionResult,
    ) -> Result<(), Failure> {
        let body = result.encode_to_vec();
        self.line.traffic.bytes_up.add(body.len() as u64);
        let response = self.send(self.client.put(self.result_url(key)).body(body)).await?;
        self.taken(response).await
    }

    /// Checks the answer to a PUT.
    pub(super) async fn taken(&self, response: reqwest::Response) -> Result<(), Failure> {
        let status = response.status().as_u16();
        match answer::check(response).await? {
            Some(response) => {
                answer::drain(response).await;
                Ok(())
            }
            // A server that has no such place can't be written to.
            None => Err(Failure::Rejected(status.to_string())),
        }
    }
}
