package streaming

import (
	"fmt"
	"strconv"

	"github.com/bucketmill/bucketmill/executor/program"
)

// variables returns the environment variables that describe an attempt to its processes, by
// Hadoop's new and old names.
func variables(a *program.Attempt) []string {
	side, isMap := "r", a.Side == "map"
	if isMap {
		side = "m"
	}
	job := a.Job + "_0001" // scripts rely on this number of parts between underscores
	task := fmt.Sprintf("%s_%s_%06d", job, side, a.Task)
	return both(
		"mapreduce_job_id", "mapred_job_id", "job_"+job,
		"mapreduce_task_id", "mapred_tip_id", "task_"+task,
		"mapreduce_task_attempt_id", "mapred_task_id", fmt.Sprintf("attempt_%s_%d", task, a.Number),
		"mapreduce_task_ismap", "mapred_task_is_map", strconv.FormatBool(isMap),
		"mapreduce_task_partition", "mapred_task_partition", strconv.Itoa(a.Task),
		"mapreduce_job_reduces", "mapred_reduce_tasks", strconv.Itoa(a.Reducers),
		"mapreduce_job_local_dir", "job_local_dir", a.Scratch,
	)
}

// inputVariables returns the environment variables that describe the object that a mapper reads,
// and the task's part of it.
func inputVariables(a *program.Attempt, url string) []string {
	if url == "" {
		return nil
	}
	var start, length int64
	found := false
	for _, in := range a.Inputs {
		if in.URL == url {
			if !found {
				start, found = in.Start, true
			}
			length += in.Length
		}
	}
	return both(
		"mapreduce_map_input_file", "map_input_file", url,
		"mapreduce_map_input_start", "map_input_start", strconv.FormatInt(start, 10),
		"mapreduce_map_input_length", "map_input_length", strconv.FormatInt(length, 10),
	)
}

// both returns two variables for each triple of new name, old name and value.
func both(triples ...string) (variables []string) {
	for i := 0; i < len(triples); i += 3 {
		variables = append(variables, triples[i]+"="+triples[i+2], triples[i+1]+"="+triples[i+2])
	}
	return variables
}
