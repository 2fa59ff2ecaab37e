package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bucketmill/bucketmill/job"
	"github.com/redis/go-redis/v9"
)

// keptNews is roughly how many entries the news stream keeps.
const keptNews = 1000

// sendNews lets executors know that others have ended attempts of a job: the job ended, another
// attempt won, or the attempts were reassigned. It drops errors: executors find out at their next
// renewal in any case.
func (s *Store) sendNews(ctx context.Context, id job.ID) {
	_ = s.rdb.XAdd(ctx, &redis.XAddArgs{
		Stream: s.newsKey(), MaxLen: keptNews, Approx: true, Values: []any{"job", string(id)},
	}).Err()
}

// NewsPlace returns the place in the news from which WaitNews returns what follows.
func (s *Store) NewsPlace(ctx context.Context) (string, error) {
	last, err := s.rdb.XRevRangeN(ctx, s.newsKey(), "+", "-", 1).Result()
	if err != nil {
		return "", fmt.Errorf("read the newest news: %w", err)
	}
	if len(last) == 0 {
		return "0", nil
	}
	return last[0].ID, nil
}

// WaitNews returns the jobs of which others have ended attempts since place, and the place after
// them. If there are none it waits for up to timeout. It costs Redis one call. Cancelling ctx does
// not end the wait early.
func (s *Store) WaitNews(ctx context.Context, place string, timeout time.Duration) ([]job.ID, string, error) {
	var streams []redis.XStream
	err := s.leaveBehind(ctx, func(ctx context.Context) (err error) {
		streams, err = s.rdb.XRead(ctx, &redis.XReadArgs{
			Streams: []string{s.newsKey(), place}, Count: keptNews, Block: max(timeout, time.Millisecond),
		}).Result()
		return err
	})
	if errors.Is(err, redis.Nil) {
		return nil, place, nil
	}
	if err != nil {
		return nil, place, fmt.Errorf("wait for news: %w", err)
	}
	jobs, place, err := decodeNews(streams, place)
	if err != nil {
		return nil, place, fmt.Errorf("wait for news: %w", err)
	}
	return jobs, place, nil
}

// decodeNews decodes the entries of the news, and returns the place after them.
func decodeNews(streams []redis.XStream, place string) ([]job.ID, string, error) {
	var jobs []job.ID
	for _, stream := range streams {
		for _, m := range stream.Messages {
			text, _ := m.Values["job"].(string)
			if !job.ID(text).Valid() {
				return nil, place, fmt.Errorf("%w: entry %s of the news names the job %.200q", ErrMalformed, m.ID, text)
			}
			jobs, place = append(jobs, job.ID(text)), m.ID
		}
	}
	return jobs, place, nil
}
